// Feeds the frozen helper with bad input, record by record from stdin: a letter, a u32 length, bytes; a line of answer
// each, `ok` or what went wrong. `s` and `t` set the job of a source and a target, `e` the reason for
// which scripts must end (u32, 0: any); `J` parses a job, `P` runs a plan, `S`,
// `T` and `C` run source, target and copy on a script (world.h), each in a process of its own.
#include "world.h"
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

void __real__exit(int code) __attribute__((noreturn));
pid_t __real_fork(void);
enum { EXIT_BROKEN = 77, REAL_SECONDS = 20 };

static uint8_t job_bytes[2][MAX_JOB_BYTES + 1];
static struct job jobs[2];                // source, target
static char role;
static uint32_t expected_reason;           // 0: any
static sigjmp_buf plan_waits;             // a plan that waits longer than anybody has time for

_Noreturn void broken(const char *what) {
  fprintf(stderr, "broken promise: %s (stage %u, %llu us, reason %u %s)\n", what, world.stage, (unsigned long long)world.now_us, report.reason, report.text);
  __real__exit(EXIT_BROKEN);
}

void check_image(void) {
  uint64_t image_pages, pages, listed = 0, last = 0, pfn = 0, mailboxes = 0;
  uint8_t signature[TOKEN_BYTES];
  if (!world.frozen) broken("restored, but not frozen");
  if (world.page_count < 3) broken("restored without an image");
  memcpy(&image_pages, world.pages[0] + IMAGE_AT_IMAGE_PAGES, 8);
  memcpy(&pages, world.pages[0] + IMAGE_AT_PAGES, 8);
  if (pages != world.page_count || image_pages >= pages) broken("restored what is not whole");
  for (uint64_t at = 1; at < pages - image_pages; at++)
    for (unsigned i = 0; i < PAGE / 8; i++) {
      memcpy(&pfn, world.pages[at] + 8 * i, 8);
      if (pfn == UINT64_MAX) break;        // unpack_orig_pfns() reads up to here, not up to a number of frames
      if (!((pfn >= 0x10 && pfn < 0x20) || (pfn >= 0x100 && pfn < 0x1000))) broken("restored a page frame that is not RAM");
      if (listed && pfn <= last) broken("restored page frames that do not ascend");
      last = pfn;
      listed++;
    }
  if (listed != image_pages) broken("restored a list of other length");
  mailbox_signature(world.job->token, signature);
  for (uint64_t at = pages - image_pages; at < pages; at++)
    if (!memcmp(world.pages[at], signature, TOKEN_BYTES)) mailboxes += ((struct mailbox *)world.pages[at])->on_target == 1;
  if (mailboxes != 1) broken("restored without the word that it is on B");
}

static uint64_t ms(uint32_t n) { return n * UINT64_C(1000); }

_Noreturn void world_over(const char *how) {
  const struct job *job = world.job;
  // Not frozen yet, the OS runs and waits for its own agent; a plan waits for as long as it says.
  if (role == 'S' && (world.frozen || world.thawed) && (!world.grants_sent || world.thawed)) broken(how);
  if (role == 'P') siglongjmp(plan_waits, 1);
  if (role == 'T') broken(how);
  if (role == 'C') {
    if (world.thawed && !world.granted) broken("thawed without a grant");
    if (!world.thawed && strstr(how, "resets") && !world.refused) broken("reset though nobody refused");
    if (!world.thawed && !strstr(how, "resets")) world_asked();
    if (world.longest_unasked_us > 10 * ms(job->repeat_ms)) broken("it has stopped asking");
  }
  __real__exit(0);
}

/// In this process: nothing of one plan is left for the next.
static void try_plan(const uint8_t *script, uint32_t length) {
  world_begin(&jobs[0], script, length);
  struct bytes plan = world_subject();
  report = (struct report){ .operation = -1 };
  if (plan_valid(plan) && (sigsetjmp(plan_waits, 0) == 0)) {
    plan_open();
    int result = plan_run(plan, REASON_LEAVE);
    if ((result < 0) != (report.reason == REASON_LEAVE && report.operation >= 0)) broken("a plan failed without saying where");
    plan_run_all(plan, REASON_LEAVE);
  }
  free((void *)plan.at);
  puts("ok");
}

static void run_script(const uint8_t *script, uint32_t length) {
  const struct job *job = &jobs[role == 'T'];
  world_begin(job, script, length);
  switch (role) {
    case 'C':
      world.patience_us = 100 * ms(job->repeat_ms); // until it is granted it asks for ever: more would be the same
      run_copy(job, FD_AGENT, FD_SNAPSHOT);
    case 'T': {
      int outcome = run_target(job, FD_AGENT, FD_LISTENER);
      if (outcome != OUTCOME_DISCARDED) broken("an outcome that cannot be");
      // Behind GO there is nothing to cancel: making room may take its time.
      if (!world.restored && world.cancelled_at && world.now_us > world.cancelled_at + 8 * ms(job->stall_ms)) broken("it did not hear its agent");
      break;
    }
    case 'S':
      if (run_source(job, FD_AGENT, FD_STREAM) != OUTCOME_RETURNED) broken("an outcome that cannot be");
      if (world.grants_sent) broken("returned after a grant");
      if (world.longest_frozen_us > ms(job->ready_ms) + ms(job->claim_ms) + 4 * ms(job->stall_ms)) broken("it stood still for too long");
      break;
  }
  if (world.frozen) broken("it was left frozen");
  if (!report.reason) broken("it ended without a reason");
  if (expected_reason && report.reason != expected_reason) broken("it ended for another reason than it should");
}

/// In a process of its own, so that everything is as at the start.
static void apart(const uint8_t *script, uint32_t length) {
  int status;
  pid_t child = __real_fork();
  if (child == 0) {
    alarm(REAL_SECONDS);
    run_script(script, length);
    __real__exit(0);
  }
  if (child < 0 || waitpid(child, &status, 0) != child) { puts("no process"); return; }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) puts("ok");
  else printf("%s %d\n", WIFEXITED(status) ? "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void try_job(const uint8_t *data, uint32_t length) {
  static struct job parsed;
  uint8_t *copy = malloc(length + 1u);    // main.c: a NUL stands behind the last field
  memcpy(copy, data, length);
  copy[length] = 0;
  if (parse_job(copy, length, &parsed)) {
    volatile size_t sum = strlen(parsed.copy_interface) + (size_t)fault_times(&parsed, 0); // no point has that number: nothing strikes
    const char *end = (const char *)parsed.ghost_argv.at + parsed.ghost_argv.length;
    for (const char *at = (const char *)parsed.ghost_argv.at; at < end; at += strlen(at) + 1) sum++;
    if (!parsed.stall_ms || !parsed.repeat_ms || parsed.park_pages > MAX_PARK_PAGES) broken("a job without limits");
  }
  free(copy);
  puts("ok");
}

static bool set_job(unsigned which, const uint8_t *data, uint32_t length) {
  if (length > MAX_JOB_BYTES) return false;
  memcpy(job_bytes[which], data, length);
  if (!parse_job(job_bytes[which], length, &jobs[which])) return false;
  jobs[which].ghost_argv.length = 0;      // no process is started
  return true;
}

int main(void) {
  uint8_t head[5];
  uint32_t length;
  while (fread(head, 1, sizeof head, stdin) == sizeof head) {
    memcpy(&length, head + 1, 4);
    uint8_t *data = malloc(length ? length : 1);
    if (!data || fread(data, 1, length, stdin) != length) return 2;
    role = (char)head[0];
    switch (role) {
      case 's': if (!set_job(0, data, length)) return 2; break;
      case 'e': if (length != 4) return 2; memcpy(&expected_reason, data, 4); break;
      case 't': if (!set_job(1, data, length)) return 2; break;
      case 'J': try_job(data, length); break;
      case 'P': try_plan(data, length); break;
      case 'S': case 'T': case 'C': apart(data, length); break;
      default: return 2;
    }
    fflush(stdout);
    free(data);
  }
  return 0;
}
