// Fault points, for tests: what the job wants to go wrong, and where. Without such a job nothing here does anything. Each
// strikes once and is told in the kernel's log, where a test sees how far the move has come.
#include "frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct armed { uint16_t point, kind; uint32_t n; };

static void restart(const char *how) {
  int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, how, 1) == 1) poll(NULL, 0, 2000);
}

static void tell(const struct armed *armed) {
  char line[80];
  int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
  int n = snprintf(line, sizeof line, "yado: fault %s:%s\n", fault_names[armed->point], kind_names[armed->kind]);
  if (fd < 0) return;
  if (write(fd, line, (size_t)n) < 0) errno = 0; // a test that misses it says so
  close(fd);
}

/// Takes what is armed at `point` in one of `kinds` (a bit each); `lost` counts down, everything else is used up.
static bool take(const struct job *job, int point, unsigned kinds, struct armed *armed) {
  for (uint32_t at = 0; at + sizeof *armed <= job->faults.length; at += sizeof *armed) {
    uint8_t *bytes = (uint8_t *)job->faults.at + at; // the job is ours
    memcpy(armed, bytes, sizeof *armed);
    if (armed->point != point || !(kinds >> armed->kind & 1u)) continue;
    struct armed left = *armed;
    if (armed->kind == KIND_LOST && armed->n > 1) left.n--;
    else left.point = 0;
    memcpy(bytes, &left, sizeof left);
    tell(armed);
    return true;
  }
  return false;
}

int fault_at(const struct job *job, int point) {
  struct armed armed;
  while (take(job, point, 1u << KIND_CRASH | 1u << KIND_ERROR | 1u << KIND_DELAY | 1u << KIND_RESET | 1u << KIND_PANIC, &armed))
    switch (armed.kind) {
      case KIND_CRASH: kill(getpid(), SIGKILL); break;
      case KIND_DELAY: poll(NULL, 0, (int)armed.n); break;
      case KIND_RESET: restart("b"); break;
      case KIND_PANIC: restart("c"); break;
      default: errno = armed.n ? (int)armed.n : EIO; return -1;
    }
  return 0;
}

int fault_times(const struct job *job, int point) {
  struct armed armed;
  if (fault_at(job, point) < 0) return 0;
  if (!take(job, point, 1u << KIND_LOST | 1u << KIND_REPEAT, &armed)) return 1;
  return armed.kind == KIND_LOST ? 0 : 2;
}
