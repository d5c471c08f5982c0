// filework DIR: file work like that of a kernel's compilation, for ever: a tree of sources, and for each of them a process
// that reads it with some thirty others, takes memory, computes for a while, and writes an object; the objects are removed
// and made again. Its status line in /run/filework counts objects.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "status.h"

enum { SOURCES = 1200, MOST = 32768, HEADERS = 30, MEMORY = 8 << 20, ROUNDS = 4 };

static char text[MOST];

static uint64_t random64(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static FILE *opened(const char *dir, const char *kind, int number, const char *mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%03d/%s%d", dir, number / 100, kind, number);
	FILE *file = fopen(path, mode);
	if (!file) {
		perror(path);
		exit(1);
	}
	return file;
}

static void put(const char *dir, const char *kind, int number, size_t bytes)
{
	FILE *file = opened(dir, kind, number, "w");

	if (fwrite(text, 1, bytes, file) != bytes || fclose(file) != 0) {
		perror("filework");
		exit(1);
	}
}

static void compile(const char *dir, int number)
{
	uint64_t *memory = malloc(MEMORY), sum = (uint64_t)number;

	if (!memory)
		exit(1);
	for (int i = 0; i < HEADERS; i++) {
		FILE *file = opened(dir, "s", i ? (number * 7 + i * 31) % SOURCES : number, "r");
		size_t got = fread(text, 1, sizeof(text), file);
		fclose(file);
		for (size_t at = 0; at < got; at++)
			sum = sum * 31 + (uint8_t)text[at];
	}
	for (int round = 0; round < ROUNDS; round++)
		for (size_t at = 0; at < MEMORY / 8; at++)
			memory[at] = sum = sum * 6364136223846793005u + (round ? memory[at] : at);
	memcpy(text, memory, sizeof(text));
	put(dir, "o", number, 4096 + sum % (MOST - 4096));
}

int main(int argc, char **argv)
{
	char path[512], line[64];

	if (argc != 2) {
		fprintf(stderr, "usage: filework DIR\n");
		return 2;
	}
	mkdir(argv[1], 0755);
	for (int i = 0; i < SOURCES; i++) {
		snprintf(path, sizeof(path), "%s/%03d", argv[1], i / 100);
		if (i % 100 == 0)
			mkdir(path, 0755);
		for (size_t at = 0; at < sizeof(text); at += 8)
			*(uint64_t *)(text + at) = random64();
		put(argv[1], "s", i, 4096 + random64() % (MOST - 4096));
	}
	for (long made = 0;; made++) {
		int number = (int)(made % SOURCES), status;

		snprintf(path, sizeof(path), "%s/%03d/o%d", argv[1], number / 100, number);
		unlink(path);
		pid_t child = fork();
		if (child == 0) {
			compile(argv[1], number);
			_exit(fflush(NULL) != 0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
			fprintf(stderr, "filework: object %d was not made\n", number);
			return 1;
		}
		if (made % 10 == 0) {
			snprintf(line, sizeof(line), "%ld objects\n", made);
			write_status("/run/filework", line);
		}
	}
}
