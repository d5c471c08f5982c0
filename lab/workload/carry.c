// carry copy MiB: copies that much memory once, page by page, and prints megabytes a second.
// carry send FILE BYTES ADDRESS PORT: sends so many bytes of a file or device over one TCP connection, in pieces of 1 MiB,
// waits until the other side has all of it, and prints megabytes a second.
// carry receive FILE PORT: takes one such connection and writes what comes to the file or device.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 20, PAGE = 4096, TRIES = 600 };

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void *filled(size_t bytes, int value)
{
	void *memory = malloc(bytes);

	if (!memory)
		fail("memory");
	memset(memory, value, bytes);
	return memory;
}

static void copy(size_t bytes)
{
	char *from = filled(bytes, 1), *to = filled(bytes, 2);
	double start = seconds();

	for (size_t at = 0; at < bytes; at += PAGE)
		memcpy(to + at, from + at, PAGE);
	double took = seconds() - start;
	if (to[bytes - 1] != 1)
		exit(1);
	printf("%.1f\n", (double)bytes / 1e6 / took);
}

static struct sockaddr_in address_of(const char *address, const char *port)
{
	struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

	if (inet_pton(AF_INET, address, &result.sin_addr) != 1)
		fail(address);
	return result;
}

static void send_file(const char *file, uint64_t bytes, const char *address, const char *port)
{
	struct sockaddr_in to = address_of(address, port);
	char *piece = filled(PIECE, 0), end;
	int from = open(file, O_RDONLY), wire = -1;

	if (from < 0)
		fail(file);
	for (int i = 0; i < TRIES; i++) { // the other side may not listen yet
		wire = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(wire, (struct sockaddr *)&to, sizeof(to)) == 0)
			break;
		close(wire);
		wire = -1;
		usleep(100000);
	}
	if (wire < 0)
		fail(address);
	double start = seconds();
	for (uint64_t left = bytes; left > 0;) {
		ssize_t got = read(from, piece, left < PIECE ? left : PIECE);
		if (got <= 0)
			fail(file);
		for (ssize_t at = 0, sent; at < got; at += sent)
			if ((sent = send(wire, piece + at, (size_t)(got - at), MSG_NOSIGNAL)) <= 0)
				fail("send");
		left -= (uint64_t)got;
	}
	shutdown(wire, SHUT_WR);
	if (read(wire, &end, 1) != 1)
		fail("the other side");
	printf("%.1f\n", (double)bytes / 1e6 / (seconds() - start));
}

static void receive(const char *file, const char *port)
{
	struct sockaddr_in here = address_of("0.0.0.0", port);
	int yes = 1, door = socket(AF_INET, SOCK_STREAM, 0), to = open(file, O_WRONLY | O_CREAT, 0600);
	char *piece = filled(PIECE, 0);
	ssize_t got;

	if (to < 0)
		fail(file);
	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(door, (struct sockaddr *)&here, sizeof(here)) || listen(door, 1))
		fail("port");
	int wire = accept(door, NULL, NULL);
	if (wire < 0)
		fail("accept");
	while ((got = recv(wire, piece, PIECE, 0)) > 0)
		for (ssize_t at = 0, put; at < got; at += put)
			if ((put = write(to, piece + at, (size_t)(got - at))) <= 0)
				fail(file);
	(void)!fdatasync(to); // a device like /dev/null cannot, and need not
	if (got < 0 || write(wire, "e", 1) != 1)
		fail("receive");
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "copy"))
		copy((size_t)atol(argv[2]) << 20);
	else if (argc == 6 && !strcmp(argv[1], "send"))
		send_file(argv[2], strtoull(argv[3], NULL, 10), argv[4], argv[5]);
	else if (argc == 4 && !strcmp(argv[1], "receive"))
		receive(argv[2], argv[3]);
	else {
		fprintf(stderr, "usage: carry copy MiB | send FILE BYTES ADDRESS PORT | receive FILE PORT\n");
		return 2;
	}
	return 0;
}
