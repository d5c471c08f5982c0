// redisload PORT MB_A_SECOND MiB: writes values of 16 KiB, each of bytes that were not there before, into the redis-server at
// this port: first all of its MiB as fast as it goes, then again and again at the rate asked for (or as fast as it goes).
// Its status line in /run/redisload tells of the rate of the last second, steady when all of it was at that rate.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "status.h"

enum { VALUE = 16384, OK = 5, BATCH = 16 };

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Whoever stops a process for a while may cut a call short: the rest is asked for again.
static void whole(int wire, char *bytes, size_t length, int isSent)
{
	for (size_t at = 0; at < length;) {
		ssize_t done = isSent ? send(wire, bytes + at, length - at, MSG_NOSIGNAL)
				      : recv(wire, bytes + at, length - at, 0);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			perror("redisload");
			exit(1);
		}
		at += (size_t)done;
	}
}

static uint64_t random64(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

int main(int argc, char **argv)
{
	static char noise[VALUE * 4], request[VALUE + 64], answers[OK * BATCH];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	double rate = argc == 4 ? atof(argv[2]) * 1e6 : 0;
	long keys = argc == 4 ? atol(argv[3]) * 64 : 0, written = 0;

	if (rate <= 0 || keys <= 0) {
		fprintf(stderr, "usage: redisload PORT MB_A_SECOND MiB\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)atoi(argv[1]));
	int wire = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(wire, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("redisload");
		return 1;
	}
	for (size_t i = 0; i < sizeof(noise); i += 8)
		*(uint64_t *)(noise + i) = random64();
	double due = seconds(), told = due;
	long toldAt = 0;
	for (;;) {
		for (int i = 0; i < BATCH; i++, written++) {
			int head = snprintf(request, sizeof(request), "*3\r\n$3\r\nSET\r\n$8\r\nk%07ld\r\n$%d\r\n",
					    written % keys, VALUE);
			memcpy(request + head, noise + random64() % (sizeof(noise) - VALUE), VALUE);
			for (int at = 0; at < VALUE; at += 512) // no two pages alike, whatever was drawn
				*(uint64_t *)(request + head + at) = random64();
			memcpy(request + head + VALUE, "\r\n", 2);
			whole(wire, request, (size_t)head + VALUE + 2, 1);
		}
		whole(wire, answers, sizeof(answers), 0);
		double now = seconds();
		due = written <= keys ? now : due + BATCH * VALUE / rate;
		if (now < due)
			usleep((useconds_t)((due - now) * 1e6));
		else if (now > due + 1)
			due = now; // late by a standstill: not made up for
		if (now < told + 1)
			continue;
		char line[128];
		snprintf(line, sizeof(line), "%ld written %.1f MB/s %s\n", written,
			 (double)(written - toldAt) * VALUE / 1e6 / (now - told), toldAt < keys ? "filling" : "steady");
		write_status("/run/redisload", line);
		told = now;
		toldAt = written;
	}
}
