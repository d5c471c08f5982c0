// Bytes in and out with a limit on standing still, the report. No policy.
#include "frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct report report = { .operation = -1 };
static uint8_t out[PAGE + PAGES_PER_FRAME * PAGE] __attribute__((aligned(PAGE)));
uint8_t *const out_pages = out + PAGE;
_Static_assert(FRAME_HEADER_BYTES + PAGES_PROLOGUE_BYTES + 4 * PAGES_PER_FRAME <= PAGE, "what stands before the pages");

uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

void put_frame(uint8_t *out, uint8_t type, uint32_t length, uint64_t arg) {
  uint16_t magic = FRAME_MAGIC;
  memcpy(out, &magic, 2);
  out[2] = WIRE_VERSION;
  out[3] = type;
  memcpy(out + 4, &length, 4);
  memcpy(out + 8, &arg, 8);
}

bool get_frame(const uint8_t *in, struct frame *frame, uint32_t max_length) {
  uint16_t magic;
  memcpy(&magic, in, 2);
  frame->type = in[3];
  memcpy(&frame->length, in + 4, 4);
  memcpy(&frame->arg, in + 8, 8);
  return magic == FRAME_MAGIC && in[2] == WIRE_VERSION && frame->type != 0 && frame->length <= max_length;
}

/// Standing still is judged by pages, not by bytes: who gives or takes a byte now and then holds nobody up.
struct patience { uint64_t end; size_t moved; };

static void moved(struct patience *patience, size_t bytes, uint32_t stall_ms) {
  patience->moved += bytes;
  if (patience->end && patience->moved < PAGE) return;
  *patience = (struct patience){ .end = now_us() + (uint64_t)stall_ms * 1000u };
}

static int wait_for(int fd, short events, const struct patience *patience) {
  struct pollfd p = { .fd = fd, .events = events };
  for (;;) {
    uint64_t now = now_us();
    int n = poll(&p, 1, now < patience->end ? (int)((patience->end - now + 999) / 1000) : 0);
    if (n > 0) return 0;
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ETIMEDOUT;
    return -1;
  }
}

int send_all(int fd, const void *data, size_t length, uint32_t stall_ms) {
  const uint8_t *at = data;
  struct patience patience = { 0 };
  moved(&patience, 0, stall_ms);
  while (length) {
    ssize_t n = send(fd, at, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) { at += n; length -= (size_t)n; moved(&patience, (size_t)n, stall_ms); continue; }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN) return -1;
    if (wait_for(fd, POLLOUT, &patience) < 0) return -1;
  }
  return 0;
}

int recv_all(int fd, void *data, size_t length, uint32_t stall_ms) {
  uint8_t *at = data;
  struct patience patience = { 0 };
  moved(&patience, 0, stall_ms);
  while (length) {
    ssize_t n = recv(fd, at, length, MSG_DONTWAIT);
    if (n > 0) { at += n; length -= (size_t)n; moved(&patience, (size_t)n, stall_ms); continue; }
    if (n == 0) { errno = ECONNRESET; return -1; }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return -1;
    if (wait_for(fd, POLLIN, &patience) < 0) return -1;
  }
  return 0;
}

uint32_t reason_of_silence(int error) {
  switch (error) {
    case ETIMEDOUT: return REASON_STALLED;
    case EBADMSG: case EIO: case EMSGSIZE: case EINVAL: return REASON_TAMPERED; // net/tls: not a record of ours
    default: return REASON_LINK_LOST;
  }
}

int send_frame(int fd, uint8_t type, uint64_t arg, const void *payload, uint32_t length, uint32_t stall_ms) {
  uint8_t head[FRAME_HEADER_BYTES];
  put_frame(head, type, length, arg);
  if (send_all(fd, head, sizeof head, stall_ms) < 0) return -1;
  return length ? send_all(fd, payload, length, stall_ms) : 0;
}

ssize_t send_pages(int fd, uint8_t type, uint64_t arg, struct bytes prologue, const uint32_t *words, uint32_t word_count, uint32_t pages, uint32_t stall_ms) {
  uint32_t length = prologue.length + 4 * word_count + pages * PAGE;
  uint8_t *at = out_pages - 4 * word_count; // in one piece: small pieces would be held back by TCP or sent by themselves
  if (word_count) memcpy(at, words, 4 * word_count);
  memcpy(at -= prologue.length, prologue.at, prologue.length);
  put_frame(at -= FRAME_HEADER_BYTES, type, length, arg);
  length += FRAME_HEADER_BYTES;
  const uint8_t *frame = pages ? pack_frame(fd, at, &length) : at;
  return send_all(fd, frame, length, stall_ms) < 0 ? -1 : (ssize_t)length;
}

void *room(size_t length) {
  void *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? NULL : at;
}

bool page_is_zero(const uint8_t *page) {
  const uint64_t *word = (const uint64_t *)page;
  for (unsigned i = 0; i < PAGE / 8; i += 8)
    if (word[i] | word[i + 1] | word[i + 2] | word[i + 3] | word[i + 4] | word[i + 5] | word[i + 6] | word[i + 7]) return false;
  return true;
}

void because(uint32_t reason, int error, int operation, const char *text) {
  if (report.reason) return;
  report.reason = reason;
  report.error = (uint32_t)error;
  report.operation = operation;
  if (text) snprintf(report.text, sizeof report.text, "%s", text);
}

void send_report(int agent, uint32_t outcome) {
  send_frame(agent, FRAME_RESULT, outcome, &report, sizeof report, 5000);
}
