// ticker PORT: on each TCP connection sends "T n" every 100 ms and answers each line L with "E L".
// Lines "C n" must count up from 1; the first that does not is answered by "X expected n" and counted.
// Datagrams to the same port are sent back as they are, but "W n" as "W n NS", NS being the wall time. One thread, at most 32 connections, no disk.

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 32, LINE = 256 };

struct connection {
	int fd;
	uint64_t sent, received;
	size_t used;
	char line[LINE];
};

static struct connection connections[CONNECTIONS];

static void drop(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
}

// A peer that reads nothing for so long that its buffer fills is dropped: half a line must never go out.
static void say(struct connection *connection, const char *text)
{
	size_t length = strlen(text);

	if (connection->fd >= 0 && send(connection->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length)
		drop(connection);
}

static void answer(struct connection *connection)
{
	char text[LINE + 32];
	unsigned long long number;

	if (sscanf(connection->line, "C %llu", &number) == 1) {
		if (number != connection->received + 1) {
			snprintf(text, sizeof(text), "X expected %llu\n",
				 (unsigned long long)connection->received + 1);
			say(connection, text);
		}
		connection->received = number;
	}
	snprintf(text, sizeof(text), "E %s\n", connection->line);
	say(connection, text);
}

static void receive(struct connection *connection)
{
	char bytes[4096];
	ssize_t got = recv(connection->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
		drop(connection);
		return;
	}
	for (ssize_t i = 0; i < got && connection->fd >= 0; i++) {
		if (bytes[i] != '\n' && connection->used < LINE - 1) {
			connection->line[connection->used++] = bytes[i];
			continue;
		}
		connection->line[connection->used] = 0;
		connection->used = 0;
		answer(connection);
	}
}

static int listen_on(int type, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int yes = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    (type == SOCK_STREAM && listen(fd, 16) != 0)) {
		perror("ticker: port");
		exit(1);
	}
	return fd;
}

static void welcome(int listener)
{
	int fd = accept(listener, NULL, NULL);

	for (int i = 0; fd >= 0 && i < CONNECTIONS; i++) {
		if (connections[i].fd >= 0)
			continue;
		connections[i] = (struct connection){.fd = fd};
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void send_back(int fd)
{
	char bytes[2048];
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t got = recvfrom(fd, bytes, 64, MSG_DONTWAIT, (struct sockaddr *)&from, &length);

	if (got > 2 && got < 64 && !memcmp(bytes, "W ", 2)) {
		struct timespec wall;

		clock_gettime(CLOCK_REALTIME, &wall);
		got += snprintf(bytes + got, 64, " %lld%09ld", (long long)wall.tv_sec, wall.tv_nsec);
	}
	if (got >= 0)
		(void)!sendto(fd, bytes, (size_t)got, MSG_DONTWAIT, (struct sockaddr *)&from, length);
}

static int64_t now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	long port = argc == 2 ? strtol(argv[1], NULL, 10) : 0;

	if (port < 1 || port > 65535) {
		fprintf(stderr, "usage: ticker PORT\n");
		return 2;
	}
	int listener = listen_on(SOCK_STREAM, (uint16_t)port), datagrams = listen_on(SOCK_DGRAM, (uint16_t)port);
	for (int i = 0; i < CONNECTIONS; i++)
		connections[i].fd = -1;
	int64_t next = now_ms() + 100;

	for (;;) {
		struct pollfd polls[CONNECTIONS + 2] = {{.fd = listener, .events = POLLIN},
							{.fd = datagrams, .events = POLLIN}};
		for (int i = 0; i < CONNECTIONS; i++)
			polls[i + 2] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
		int64_t left = next - now_ms();
		if (poll(polls, CONNECTIONS + 2, left > 0 ? (int)left : 0) < 0 && errno != EINTR) {
			perror("poll");
			return 1;
		}
		for (int i = 0; i < CONNECTIONS; i++)
			if (connections[i].fd >= 0 && polls[i + 2].revents)
				receive(&connections[i]);
		if (polls[1].revents)
			send_back(datagrams);
		if (polls[0].revents)
			welcome(listener);
		if (now_ms() < next)
			continue;
		next = now_ms() + 100;
		for (int i = 0; i < CONNECTIONS; i++) {
			char text[64];

			snprintf(text, sizeof(text), "T %llu\n", (unsigned long long)++connections[i].sent);
			say(&connections[i], text);
		}
	}
}
