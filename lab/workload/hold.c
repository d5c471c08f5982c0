// hold MiB: fills memory with pages of which no two are alike, and keeps it; 1 MiB a second of it changes.
// Its status line in /run/hold says that it is full.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "status.h"

enum { PAGE_WORDS = 512, EVERY_US = 100000, PAGES_EACH = 26 };

int main(int argc, char **argv)
{
	long mebibytes = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	uint64_t state = 88172645463325252u, pages = (uint64_t)mebibytes * 256;

	if (mebibytes < 1 || mebibytes > 1 << 20) {
		fprintf(stderr, "usage: hold MiB\n");
		return 2;
	}
	uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		perror("memory");
		return 1;
	}
	for (uint64_t i = 0; i < pages * PAGE_WORDS; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		memory[i] = state ^= state << 17;
	}
	write_status("/run/hold", "full\n");
	for (uint64_t page = 0;; usleep(EVERY_US))
		for (int i = 0; i < PAGES_EACH; i++, page = (page + 1) % pages)
			memory[page * PAGE_WORDS]++;
}
