// wild DEVICE SECONDS: many programs misuse a printer port at once. They open it in every way, two processes share what
// was opened, and ask for what no printer knows, with sizes and pointers that are wrong; each is killed in the middle of
// it. No byte reaches the printer. Prints how many calls there were, how many programs were killed, how many of them did
// not go within ten seconds, and how often which error came.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { programs = 6, calls_each = 40, most_errno = 256, page = 4096, patience_ms = 10000 };

static struct {
	unsigned long calls, errors[most_errno];
} *tally;
static uint64_t state;

static uint32_t pick(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? (uint32_t)(state >> 16) % below : (uint32_t)(state >> 16);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int told(long result)
{
	int error = result < 0 ? errno : 0;

	__atomic_add_fetch(&tally->calls, 1, __ATOMIC_RELAXED);
	if (error > 0 && error < most_errno)
		__atomic_add_fetch(&tally->errors[error], 1, __ATOMIC_RELAXED);
	return error;
}

static unsigned long request(void)
{
	switch (pick(5)) {
	case 0: return pick(0);                                             // anything
	case 1: return 0x0600 + pick(0x20);                                 // LPGETSTATUS, LPRESET and what is beside them
	case 2: return 0x80005001 | pick(0x4000) << 16;                     // the device id, of every size
	case 3: return _IOC(pick(4), 'P', pick(10), pick(0x4000));          // usblp's, known or not
	default: return (unsigned long[]){0, ~0u, 0x060b, 0x3fff060b}[pick(4)];
	}
}

// `good` has a page that can be written, then one that can only be read, then none.
static void *pointer(char *good, int must_be_wrong)
{
	switch (pick(must_be_wrong ? 4 : 8)) {
	case 0: return NULL;
	case 1: return (void *)1;
	case 2: return (void *)-1;
	case 3: return (void *)0xffff888000001000;
	case 4: return good + page - 3;
	case 5: return good + page;
	case 6: return good + 2 * page - 3;
	default: return good;
	}
}

static size_t size(void)
{
	return (size_t[]){1, 4096, 131072, 1u << 30, SIZE_MAX / 2}[pick(5)];
}

static void misuse(int fd, char *good)
{
	struct pollfd ready = {.fd = fd, .events = (short)pick(0)};

	for (int i = 0; i < calls_each; i++)
		switch (pick(8)) {
		case 0: told(read(fd, pointer(good, 0), pick(2) ? page : size())); break;
		case 1: told(write(fd, pointer(good, 1), size())); break;
		case 2: told(poll(&ready, 1, 0)); break;
		default: told(ioctl(fd, request(), pointer(good, 0)));
		}
}

static void program(const char *device, uint64_t seed)
{
	char *good = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	state = seed;
	if (good == MAP_FAILED || mprotect(good + page, page, PROT_READ) || munmap(good + 2 * page, page))
		_exit(1);
	for (;;) {
		int fd = open(device, (int[]){O_RDONLY, O_WRONLY, O_RDWR}[pick(3)] | (pick(2) ? O_NONBLOCK : 0));

		if (told(fd)) {
			usleep(pick(3000));
			continue;
		}
		pid_t twin = fork();
		if (twin == 0)
			state ^= 0x9e3779b97f4a7c15;
		misuse(fd, good);
		if (twin == 0)
			_exit(0);
		waitpid(twin, NULL, 0);
		close(fd);
	}
}

static pid_t start(const char *device, uint64_t seed)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		program(device, seed);
	}
	setpgid(pid, pid); // whoever comes first
	return pid;
}

// Ends a program with its twin; gives whether they went.
static int kill_whole(pid_t group)
{
	long until = now_ms() + patience_ms;

	kill(-group, SIGKILL);
	for (;;) {
		pid_t gone = waitpid(-group, NULL, WNOHANG);

		if (gone < 0)
			return 1;
		if (gone == 0 && now_ms() > until)
			return 0;
		if (gone == 0)
			usleep(1000);
	}
}

int main(int count, char **words)
{
	pid_t groups[programs];
	unsigned long killed = 0, stuck = 0;

	if (count != 3)
		return fprintf(stderr, "usage: wild DEVICE SECONDS\n"), 2;
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tally == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1))
		return perror("wild"), 1;
	long until = now_ms() + 1000 * atol(words[2]);
	state = 88172645463325252u ^ (uint64_t)getpid();
	for (int i = 0; i < programs; i++)
		groups[i] = start(words[1], state + (uint64_t)i);
	while (now_ms() < until) {
		uint32_t which = pick(programs);

		usleep(20000 + pick(60000));
		stuck += !kill_whole(groups[which]);
		killed++;
		groups[which] = start(words[1], state);
	}
	for (int i = 0; i < programs; i++, killed++)
		stuck += !kill_whole(groups[i]);
	printf("calls %lu killed %lu stuck %lu", tally->calls, killed, stuck);
	for (int i = 1; i < most_errno; i++)
		if (tally->errors[i])
			printf(" %s %lu", strerrorname_np(i) ?: "unknown", tally->errors[i]);
	printf("\n");
	return stuck > 0;
}
