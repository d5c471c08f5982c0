// Stands in for the kernel beneath the frozen helper: /dev/snapshot is a file, nothing is frozen, and no call gets
// through that could stop, reset or set the clock of the machine that runs the tests. CREATE_IMAGE returns twice, as
// the real one does: the second time in a child, once the file `restored` is there, which is then the copy on B.
// Memory and its flags are the files `kcore` and `kpageflags`, that of B is `memory-of-b`. Everything is said in the file `log`. Settings: YADO_FAKE_DIR, _NAME, _MAILBOX_AT, _RESTORED_AT, _RESTORE, _FAIL_WRITE.
#include "../frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int __real_ioctl(int fd, unsigned long request, ...);
ssize_t __real_write(int fd, const void *data, size_t length);
ssize_t __real_sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
void __real_mailbox_signature(const uint8_t *token, uint8_t *signature);

static int snapshot = -1, written;
static bool is_copy;
static int64_t stood_ns; // how long the clocks of this kernel have stood still
enum { FREEZE_US = 20000, IMAGE_US = 120000, SECOND_NS = 1000000000 };
static uint8_t *mailbox;

static const char *in_folder(const char *name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", getenv("YADO_FAKE_DIR"), name);
  return path;
}

static void said(const char *what) {
  char line[200];
  int fd = openat(AT_FDCWD, in_folder("log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  int n = snprintf(line, sizeof line, "%s %s\n", is_copy ? "copy" : getenv("YADO_FAKE_NAME"), what);
  if (fd < 0 || __real_write(fd, line, (size_t)n) != n) _exit(98);
  close(fd);
}

int __wrap_open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
  va_end(list);
  if (!strcmp(path, "/proc/sysrq-trigger")) { said("reset"); _exit(97); }
  if (!strcmp(path, "/dev/urandom")) { said("reseed"); errno = EACCES; return -1; }
  if (!strcmp(path, "/dev/kmsg")) return openat(AT_FDCWD, in_folder("kmsg"), flags | O_CREAT | O_APPEND, 0600);
  if (!strcmp(path, "/run/yado/ghost.log")) path = in_folder("ghost.log");
  for (const char *const *name = (const char *const[]){ "/proc/kcore", "/proc/kpageflags", "/proc/self/pagemap", NULL }; *name; name++)
    if (!strcmp(path, *name)) return openat(AT_FDCWD, in_folder(!strcmp(getenv("YADO_FAKE_NAME"), "B") ? "memory-of-b" : strrchr(path, '/') + 1), flags);
  if (strcmp(path, "/dev/snapshot")) return openat(AT_FDCWD, path, flags, mode);
  bool reads = (flags & O_ACCMODE) == O_RDONLY;
  snapshot = openat(AT_FDCWD, in_folder(reads ? "image" : "written"), flags | (reads ? 0 : O_CREAT | O_TRUNC), 0600);
  return snapshot;
}

/// The mailbox of this process, at the beginning of its page: put into the image here, read back from it on the other side.
static void mailbox_page(const char *file, bool save) {
  const char *at = save ? NULL : getenv("YADO_FAKE_RESTORED_AT"); // B's helper puts back what A's kernel has left out
  if (!at) at = getenv("YADO_FAKE_MAILBOX_AT");
  int fd = openat(AT_FDCWD, in_folder(file), O_RDWR | O_CLOEXEC);
  if (!at || fd < 0) _exit(96);
  off_t offset = atoll(at) * PAGE;
  ssize_t n = save ? pwrite(fd, mailbox, sizeof(struct mailbox), offset) : pread(fd, mailbox, sizeof(struct mailbox), offset);
  if (n != sizeof(struct mailbox)) _exit(96);
  close(fd);
}

static int create_image(void) {
  mailbox_page("image", true);
  usleep(IMAGE_US);
  stood_ns += IMAGE_US * INT64_C(1000);
  long pid = syscall(SYS_clone, 0L, 0L, 0L, 0L, 0L); // without an exit signal: waitpid(-1) does not see it
  if (pid != 0) {
    int fd = openat(AT_FDCWD, in_folder("copy-pid"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dprintf(fd, "%ld", pid);
    close(fd);
    return 0;
  }
  is_copy = true;
  int held = openat(AT_FDCWD, in_folder("held-by-copy"), O_RDONLY | O_CREAT, 0600); // B's kernel is another one than A's
  if (held < 0 || dup2(held, snapshot) < 0) _exit(96);
  close(held);
  for (int fd = 4; fd < 64; fd++) {        // of what goes over a cable the copy has nothing that is still connected
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) == 0 && name.sin_family == AF_INET) close(fd);
  }
  signal(SIGALRM, SIG_DFL);
  alarm(20);
  while (faccessat(AT_FDCWD, in_folder("restored"), F_OK, 0) < 0) usleep(2000);
  mailbox_page("restored", false);
  said("wakes");
  return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void *argument = va_arg(list, void *);
  va_end(list);
  if (fd != snapshot) return request == RNDRESEEDCRNG ? 0 : __real_ioctl(fd, request, argument);
  switch (request) {
    case SNAPSHOT_FREEZE: said("freeze"); usleep(FREEZE_US); return 0;
    case SNAPSHOT_UNFREEZE: said("unfreeze"); return 0;
    case SNAPSHOT_FREE: said("free"); return 0;
    case SNAPSHOT_CREATE_IMAGE: said("create"); return create_image();
    case SNAPSHOT_GET_IMAGE_SIZE: *(uint64_t *)argument = (uint64_t)lseek(fd, 0, SEEK_END); lseek(fd, 0, SEEK_SET); return 0;
    case SNAPSHOT_ATOMIC_RESTORE: {
      char from[4096];
      if (getenv("YADO_FAKE_RESTORE")) { said("restore fails"); errno = EINVAL; return -1; }
      said("restore");
      snprintf(from, sizeof from, "%s", in_folder("written"));
      if (rename(from, in_folder("restored")) < 0) _exit(96);
      _exit(0); // this kernel is no more
    }
    default: errno = ENOTTY; return -1;
  }
}

/// While the file `cut` is there the cable is pulled: nothing that is sent to another computer arrives.
ssize_t __wrap_sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t size) {
  if (to && to->sa_family == AF_INET && faccessat(AT_FDCWD, in_folder("cut"), F_OK, 0) == 0) return (ssize_t)length;
  return __real_sendto(fd, data, length, flags, to, size);
}

ssize_t __wrap_write(int fd, const void *data, size_t length) {
  const char *limit = getenv("YADO_FAKE_FAIL_WRITE");
  if (fd == snapshot && limit && written++ == atoi(limit)) { errno = ENOMEM; return -1; }
  return __real_write(fd, data, length);
}

void __wrap_mailbox_signature(const uint8_t *token, uint8_t *signature) {
  mailbox = signature; // of the source: the first field of its page
  __real_mailbox_signature(token, signature);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t) {
  int result = __real_clock_gettime(clock, t);
  int64_t ns = t->tv_sec * (int64_t)SECOND_NS + t->tv_nsec - stood_ns;
  *t = (struct timespec){ .tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS };
  return result;
}

int __wrap_clock_settime(clockid_t clock, const struct timespec *t) {
  struct timespec now;
  __real_clock_gettime(clock, &now);
  double off = (double)(t->tv_sec - now.tv_sec) + (double)(t->tv_nsec - now.tv_nsec) / 1e9;
  said(off < 0.05 && off > -0.05 ? "clock right" : "clock wrong");
  stood_ns = -(int64_t)(off * SECOND_NS);
  return 0;
}

int __wrap_pause(void) { sleep(60); _exit(0); } // nobody is left behind by a test

int __wrap_mlockall(int flags) { (void)flags; return 0; } // ASan's shadow would be locked as well

int __wrap_reboot(int how) { (void)how; said("reset"); _exit(97); }
