// cpuloop: the same long computation again and again; a result other than the first is an error.
// Integer and floating point, so that both register files are seen. Status line in /run/cpuloop.

#include <stdint.h>
#include <string.h>

#include "status.h"

// Never inlined or folded: the compiler must not know that the result is always the same.
__attribute__((noipa)) static uint64_t block(void)
{
	uint64_t x = 88172645463325252u;
	double y = 0.5;

	for (int i = 0; i < 2000000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		y = 3.99 * y * (1.0 - y) + (double)(x & 1) * 1e-9;
		if (y >= 1.0 || y <= 0.0)
			y = 0.5;
	}
	uint64_t bits;
	memcpy(&bits, &y, sizeof(bits));
	return x ^ bits;
}

int main(void)
{
	uint64_t first = block(), errors = 0;

	for (uint64_t blocks = 1;; blocks++) {
		char line[96];

		errors += block() != first;
		snprintf(line, sizeof(line), "blocks %llu errors %llu\n", (unsigned long long)blocks,
			 (unsigned long long)errors);
		write_status("/run/cpuloop", line);
	}
}
