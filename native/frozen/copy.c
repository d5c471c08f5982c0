// The restored OS on B, still frozen: opens the way to A, claims the OS, and thaws it only when A has granted it.
// Until then it sends nothing but claims, runs no program and touches no disk. It never decides by a timer.
#include "frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WAIT = -1, CLOCK_QUESTIONS = 20, CLOCK_WAIT_MS = 30, CLOCK_GOOD_US = 4000 };
static int claims = -1;
static uint64_t sequence, asked_at[256];
static uint8_t verdict[CLAIM_BYTES];
static uint64_t way_us = UINT64_MAX, heard_at, realtime_ns; // of the grant that was quickest there and back

static int open_claim(const struct job *job) {
  struct sockaddr_in mine = { .sin_family = AF_INET, .sin_addr.s_addr = job->copy_address };
  claims = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (claims < 0) return -1;
  if (setsockopt(claims, SOL_SOCKET, SO_BINDTODEVICE, job->copy_interface, (socklen_t)strlen(job->copy_interface)) < 0) return -1;
  return bind(claims, (struct sockaddr *)&mine, sizeof mine);
}

static void ask(const struct job *job) {
  uint8_t question[CLAIM_BYTES];
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(job->claim_port), .sin_addr.s_addr = job->claim_address };
  asked_at[++sequence % 256] = now_us();
  claim_make(question, job, sequence);
  for (int times = fault_times(job, FAULT_COPY_CLAIM); times > 0; times--) claim_send(claims, question, &to);
}

static void note_time(uint64_t answered) {
  uint64_t now = now_us(), way = now - asked_at[answered % 256];
  if (way >= way_us) return;
  way_us = way;
  heard_at = now;
  memcpy(&realtime_ns, verdict + CLAIM_AT_REALTIME_NS, 8);
}

/// Wall time is A's at a grant, plus half the way there and back, plus what has passed since.
static void set_clock(void) {
  realtime_ns += (way_us / 2 + now_us() - heard_at) * 1000u;
  struct timespec t = { .tv_sec = (time_t)(realtime_ns / 1000000000u), .tv_nsec = (long)(realtime_ns % 1000000000u) };
  clock_settime(CLOCK_REALTIME, &t);
}

/// Two computers have held this random state: mix in B's own before anyone draws a number.
static void reseed(void) {
  int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (write(fd, mailbox_entropy(), 64) == 64) ioctl(fd, RNDRESEEDCRNG);
  close(fd);
}

static void reset(void) {
  int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, "b", 1) == 1) poll(NULL, 0, 1000);
  reboot(RB_AUTOBOOT);
  for (;;) poll(NULL, 0, -1);
}

static int wait_verdict(const struct job *job, uint32_t ms) {
  struct sockaddr_in from;
  struct pollfd p = { .fd = claims, .events = POLLIN };
  uint64_t answered;
  if (poll(&p, 1, (int)ms) <= 0) return COPY_ON_TIMER;
  if (!claim_receive(claims, verdict, &from) || claim_whose(job, verdict) != CLAIM_OF_THIS || from.sin_addr.s_addr != job->claim_address) return WAIT;
  uint16_t kind = claim_kind(verdict);
  memcpy(&answered, verdict + CLAIM_AT_SEQUENCE, 8);
  if (answered == 0 || answered > sequence || sequence - answered >= 256) return WAIT;
  if (kind == CLAIM_KIND_GRANT) note_time(answered);
  return kind == CLAIM_KIND_GRANT ? COPY_ON_GRANT : kind == CLAIM_KIND_REFUSE ? COPY_ON_REFUSE : WAIT;
}

/// The timer goes on whatever else is heard: nobody can keep the copy from asking by talking to it.
static int next_event(const struct job *job) {
  uint64_t end = now_us() + job->repeat_ms * UINT64_C(1000), now;
  while ((now = now_us()) < end) {
    int event = wait_verdict(job, (uint32_t)((end - now + 999) / 1000));
    if (event != WAIT) return event;
  }
  return COPY_ON_TIMER;
}

static void resume(const struct job *job, int agent, int snapshot, uint64_t arrived_at, uint64_t claimed_at) {
  guard_close();                           // from here on a thaw is right
  uint64_t t = now_us(), own_arrive = claimed_at - arrived_at, own_claim = t - claimed_at;
  for (unsigned i = 0; i < STEPS; i++) {
    uint32_t us;
    memcpy(&us, verdict + CLAIM_AT_TIMES_US + 4 * i, 4);
    report.times_us[i] = us; // A's clock ran on: its figures cover the gap that ours cannot see
  }
  memcpy(&report.pages, verdict + CLAIM_AT_PAGES, 8);
  memcpy(&report.wire_bytes, verdict + CLAIM_AT_WIRE_BYTES, 8);
  memcpy(&report.referenced_pages, verdict + CLAIM_AT_REFERENCED_PAGES, 8);
  uint64_t *restore = &report.times_us[STEP_RESTORE];
  *restore -= *restore > own_arrive ? own_arrive : *restore;
  report.times_us[STEP_ARRIVE] = own_arrive;
  report.times_us[STEP_CLAIM] = own_claim;
  // A slow answer tells the time badly: ask again, A gives the same claim the same grant.
  for (int i = 0; i < CLOCK_QUESTIONS && way_us > CLOCK_GOOD_US; i++) { ask(job); wait_verdict(job, CLOCK_WAIT_MS); }
  set_clock();
  reseed();
  ioctl(snapshot, SNAPSHOT_FREE, 0);
  if (fault_at(job, FAULT_COPY_ADOPT) < 0) because(REASON_ADOPT, errno, 0, NULL);
  plan_run_all(job->adopt, REASON_ADOPT); // a failure is reported; the OS is ours either way
  report.times_us[STEP_ADOPT] = now_us() - t;
  t = now_us();
  fault_at(job, FAULT_COPY_THAW);
  ioctl(snapshot, SNAPSHOT_UNFREEZE, 0);
  report.times_us[STEP_THAW] = now_us() - t;
  close(snapshot);
  send_report(agent, OUTCOME_ARRIVED);
  _exit(0);
}

_Noreturn void run_copy(const struct job *job, int agent, int snapshot) {
  uint64_t arrived_at = now_us(), claimed_at;
  int state = COPY_ARRIVING;
  // What was copied ahead is known here too; all else A tells with its grant.
  report = (struct report){ .operation = -1, .pre_copy_bytes = report.pre_copy_bytes, .rounds = report.rounds, .recalled_pages = report.recalled_pages };
  guard_open(snapshot, reset);             // should we die, the kernel would thaw what nobody has granted
  int event = fault_at(job, FAULT_COPY_ARRIVE) == 0 && plan_run(job->arrive, REASON_ARRIVE) == 0 && open_claim(job) == 0 ? COPY_ON_OK : COPY_ON_FAILED;
  claimed_at = now_us();
  for (;;) {
    const struct transition *row = &copy_table[state][event];
    if (!row->next) reset();
    state = row->next;
    if (row->effects & COPY_DO_CLAIM) ask(job);
    if (row->effects & COPY_DO_RESET) reset();
    if (row->effects & COPY_DO_RESUME) resume(job, agent, snapshot, arrived_at, claimed_at);
    event = next_event(job);
  }
}
