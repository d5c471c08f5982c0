// The kernel stops its clocks while it copies memory, and the RTC by which it sets them on again knows whole seconds
// only: each image would leave the wall clock behind by the time of the copy. The processor's counter runs through.
#include "frozen.h"
#include <sched.h>
#include <time.h>
#include <x86intrin.h>

enum { SHORTEST_US = 10000, LONGEST_LOSS_US = 60000000 };
struct moment { uint64_t ticks, monotonic_us; int64_t realtime_ns; };
static struct moment began, before;
static cpu_set_t allowed;

static struct moment moment(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (struct moment){ __rdtsc(), now_us(), (int64_t)t.tv_sec * 1000000000 + t.tv_nsec };
}

void clock_begin(void) {
  cpu_set_t first; // the image is made on it, and counters of two processors need not agree
  CPU_ZERO(&first);
  CPU_SET(0, &first);
  sched_getaffinity(0, sizeof allowed, &allowed);
  sched_setaffinity(0, sizeof first, &first);
  began = moment();
}

void clock_before_image(void) { before = moment(); }

uint64_t clock_after_image(void) {
  struct moment after = moment();
  sched_setaffinity(0, sizeof allowed, &allowed);
  uint64_t known_us = before.monotonic_us - began.monotonic_us, known_ticks = before.ticks - began.ticks;
  if (known_us < SHORTEST_US || before.ticks <= began.ticks || after.ticks <= before.ticks) return 0;
  int64_t passed_ns = (int64_t)((double)(after.ticks - before.ticks) * 1000 * (double)known_us / (double)known_ticks);
  int64_t lost_us = passed_ns / 1000 - (int64_t)(after.monotonic_us - before.monotonic_us);
  if (lost_us <= 0 || lost_us > LONGEST_LOSS_US) return 0;
  int64_t now_ns = before.realtime_ns + passed_ns;
  struct timespec t = { .tv_sec = now_ns / 1000000000, .tv_nsec = now_ns % 1000000000 };
  clock_settime(CLOCK_REALTIME, &t);
  return (uint64_t)lost_us;
}
