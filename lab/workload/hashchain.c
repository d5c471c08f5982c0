// hashchain FILE: appends fixed-size records, each naming the hash of the one before, with fsync, about 20 a second.
// hashchain --verify FILE: says "ok N records", or names the first gap, repeat or torn record (exit code 1).
// A started-again writer goes on after the last whole record. The hash finds accidents, not forgeries.

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAYLOAD_WORDS = 61 };

struct record {
	uint64_t sequence; // from 1
	uint64_t previous; // `own` of the record before, 0 for the first
	uint64_t payload[PAYLOAD_WORDS];
	uint64_t own; // hash of all before it
};
_Static_assert(sizeof(struct record) == 512, "record is one sector");

static uint64_t hash_of(const struct record *record)
{
	const unsigned char *bytes = (const unsigned char *)record;
	uint64_t hash = 0xcbf29ce484222325u; // FNV-1a

	for (size_t i = 0; i < offsetof(struct record, own); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static void fill(struct record *record, uint64_t sequence, uint64_t previous)
{
	uint64_t x = sequence * 0x9e3779b97f4a7c15u + 1;

	record->sequence = sequence;
	record->previous = previous;
	for (int i = 0; i < PAYLOAD_WORDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		record->payload[i] = x;
	}
	record->own = hash_of(record);
}

// Reads the whole chain; gives the last good record in `last` (sequence 0 when empty). 0 when all is well.
static int verify(int fd, struct record *last, int quiet)
{
	struct record record, expected;
	uint64_t count = 0;

	memset(last, 0, sizeof(*last));
	for (;;) {
		ssize_t got = pread(fd, &record, sizeof(record), (off_t)(count * sizeof(record)));
		if (got < 0) {
			perror("read");
			return 1;
		}
		if (got == 0)
			break;
		const char *fault = NULL;
		fill(&expected, count + 1, last->own);
		if (got != (ssize_t)sizeof(record) || record.own != hash_of(&record))
			fault = "torn record";
		else if (record.sequence > count + 1)
			fault = "gap before record";
		else if (record.sequence < count + 1)
			fault = "repeated record";
		else if (memcmp(&record, &expected, sizeof(record)) != 0)
			fault = "wrong contents of record";
		if (fault) {
			printf("%s: place %llu, says %llu\n", fault, (unsigned long long)(count + 1),
			       (unsigned long long)record.sequence);
			return 1;
		}
		*last = record;
		count++;
	}
	if (!quiet)
		printf("ok %llu records\n", (unsigned long long)count);
	return 0;
}

int main(int argc, char **argv)
{
	struct record record, last;

	if (argc == 3 && strcmp(argv[1], "--verify") == 0) {
		int fd = open(argv[2], O_RDONLY);
		if (fd < 0) {
			perror(argv[2]);
			return 2;
		}
		return verify(fd, &last, 0);
	}
	if (argc != 2) {
		fprintf(stderr, "usage: hashchain [--verify] FILE\n");
		return 2;
	}
	int fd = open(argv[1], O_RDWR | O_CREAT | O_APPEND, 0644);
	if (fd < 0 || verify(fd, &last, 1) != 0) {
		fprintf(stderr, "%s: cannot go on: %s\n", argv[1], fd < 0 ? strerror(errno) : "damaged");
		return 1;
	}
	for (;;) {
		fill(&record, last.sequence + 1, last.own);
		if (write(fd, &record, sizeof(record)) != (ssize_t)sizeof(record) || fsync(fd) != 0) {
			perror("write");
			return 1;
		}
		last = record;
		usleep(50000);
	}
}
