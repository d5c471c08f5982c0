// The kernel thaws the OS as soon as nobody holds /dev/snapshot any more. Where that must never happen by itself (at A
// behind the grant, at B before it) a child holds it too: a helper that dies decides nothing.
#include "frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t child;
static int tether = -1;                    // of the pipe that ends with us

void guard_open(int snapshot, void (*bereft)(void)) {
  int ends[2];
  if (child > 0 || pipe2(ends, O_CLOEXEC) < 0) return; // it is for the case that we die; without it we still must not
  child = fork();
  if (child == 0) {
    char none;
    for (int fd = 0; fd < 256; fd++) if (fd != snapshot && fd != ends[0]) close(fd); // ports and sockets end with us
    while (read(ends[0], &none, 1) < 0 && errno == EINTR) {}
    if (bereft) bereft();
    for (;;) pause();
  }
  close(ends[0]);
  tether = ends[1];
}

void guard_close(void) {
  if (child > 0 && kill(child, SIGKILL) == 0) waitpid(child, NULL, 0);
  if (tether >= 0) close(tether);
  child = 0;
  tether = -1;
}
