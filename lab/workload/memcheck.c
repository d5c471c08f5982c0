// memcheck MiB [SECONDS]: fills memory with patterns and verifies them again and again; each pass renews one sixteenth.
// SECONDS: the pause between two passes, a fifth of one when nothing is said.
// Its status line in /run/memcheck counts passes and wrong words. It never gives memory back.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "status.h"

enum { PAGE_WORDS = 512, SHARE = 16 };

static uint64_t word_of(uint64_t page, uint64_t generation, uint64_t index)
{
	return (page * 0x9e3779b97f4a7c15u) ^ (generation << 48) ^ (index * 0xff51afd7ed558ccdu);
}

int main(int argc, char **argv)
{
	long mebibytes = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
	long seconds = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	uint64_t errors = 0;

	if (mebibytes < 1 || mebibytes > 1 << 20 || argc > 3 || seconds < 0 || seconds > 3600) {
		fprintf(stderr, "usage: memcheck MiB [SECONDS]\n");
		return 2;
	}
	uint64_t pages = (uint64_t)mebibytes * 256;
	uint64_t *memory = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *generations = calloc(pages, 1);
	if (memory == MAP_FAILED || !generations) {
		perror("memory");
		return 1;
	}
	for (uint64_t pass = 0;; pass++) {
		for (uint64_t page = 0; page < pages; page++) {
			uint64_t *words = memory + page * PAGE_WORDS;
			for (uint64_t i = 0; pass > 0 && i < PAGE_WORDS; i++)
				errors += words[i] != word_of(page, generations[page], i);
			if (pass > 0 && page % SHARE != pass % SHARE)
				continue;
			generations[page]++;
			for (uint64_t i = 0; i < PAGE_WORDS; i++)
				words[i] = word_of(page, generations[page], i);
		}
		char line[128];
		snprintf(line, sizeof(line), "passes %llu errors %llu MiB %ld\n", (unsigned long long)pass,
			 (unsigned long long)errors, mebibytes);
		write_status("/run/memcheck", line);
		if (seconds > 0)
			sleep((unsigned)seconds);
		else
			usleep(200000); // leaves the processor to others: one core may be all there is
	}
}
