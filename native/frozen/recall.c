// B's side of what need not be sent because B has it: A names pages by their tags, B looks for them in all of its memory,
// where an OS that was here before has left most of its own, and keeps what it finds in the slots A gave them. Kernels
// clear memory when they give it out, not when they get it back. The key of the tags is B's: see tag.c. What A says is
// counted and checked; a page is taken for what it is, for its tag is that of the very copy that is kept. Nothing here
// can make a move fail but tags that cannot be. The OS runs all the while.
#include "frozen.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { WAIT = -1, TELL_US = 250000 };

static struct known wanted;
static bool over, answered;
static uint64_t told_at;

const char *recall_take(const struct job *job, const struct frame *frame, const uint8_t *payload) {
  struct tag tag;
  uint32_t count = frame->length / sizeof tag;
  if (!job->tag_seed.length) return "tags that nobody asked for";
  if (over || park_filled()) return "tags behind the last of them";
  if (frame->length % sizeof tag || frame->arg != wanted.count) return "a tags frame is malformed";
  if (count > park_slots() - wanted.count) return "more tags than slots";
  over = !count;
  if (over) return NULL;
  if (!wanted.tags && !known_open(&wanted, park_slots())) return "there is no memory for tags";
  for (; count; count--, payload += sizeof tag) {
    memcpy(&tag, payload, sizeof tag);
    bool again = known_number(&wanted, &tag) != 0;
    wanted.count++;
    if (!again) known_set(&wanted, wanted.count, &tag); // one that comes twice is found once
  }
  return NULL;
}

bool recall_asked(void) { return over && !answered; }

/// To everyone who waits, now and then; an event when one of them does not any more.
static int attend(int agent, int stream, const struct job *job) {
  struct pollfd p[2] = { { .fd = agent, .events = POLLIN }, { .fd = stream, .events = POLLRDHUP } };
  uint64_t progress[3] = { 0, 0, park_filled() };
  if (now_us() - told_at < TELL_US) return WAIT;
  told_at = now_us();
  if (poll(p, 2, 0) > 0) {
    if (!p[0].revents) { because(REASON_LINK_LOST, 0, -1, NULL); return TARGET_ON_LINK_LOST; }
    because(REASON_CANCELLED, 0, -1, NULL);
    return TARGET_ON_CANCEL;
  }
  if (send_frame(agent, FRAME_PROGRESS, report.wire_bytes, progress, sizeof progress, 1000) < 0) return TARGET_ON_CANCEL;
  return send_frame(stream, FRAME_HAD, 0, NULL, 0, job->stall_ms) < 0 ? TARGET_ON_LINK_LOST : WAIT;
}

static void keep_wanted(const uint8_t *pages, uint32_t count, uint32_t *left) {
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *page = pages + (size_t)i * PAGE;
    if (page_is_zero(page)) continue;
    struct tag tag = tag_of(page);
    uint32_t number = known_number(&wanted, &tag);
    if (!number || park_page(number - 1)) continue;
    park_put(number - 1, page);
    report.recalled_pages++;
    --*left;
  }
}

/// Everything once, in the order of its addresses; what cannot be read is passed over. Memory that is taken to keep a page
/// may have been that of another one: as little as can be, as late as can be.
static int search(const struct job *job, int agent, int stream, uint8_t *chunk) {
  park_thinly();
  uint32_t left = wanted.count;
  int event = WAIT, kcore = fault_at(job, FAULT_TARGET_RECALL) < 0 ? -1 : open("/proc/kcore", O_RDONLY | O_CLOEXEC);
  for (unsigned i = 0; kcore >= 0 && i < memory_pieces(job); i++) {
    struct range piece = memory_piece(job, i);
    for (uint64_t pfn = piece.first, count; pfn < piece.end && left && event == WAIT; pfn += count) {
      count = piece.end - pfn < PAGES_PER_FRAME ? piece.end - pfn : PAGES_PER_FRAME;
      if (memory_read(kcore, &piece, pfn, (uint32_t)count, chunk)) keep_wanted(chunk, (uint32_t)count, &left);
      event = attend(agent, stream, job);
    }
  }
  if (kcore >= 0) close(kcore);
  return event;
}

int recall_answer(const struct job *job, int agent, int stream, uint8_t *chunk) {
  uint8_t bitmap[HAD_BYTES];
  int event = WAIT;
  answered = true;
  if (wanted.count && tag_begin(job)) event = search(job, agent, stream, chunk);
  for (uint32_t slot = 0; slot < wanted.count && event == WAIT; slot += 8 * HAD_BYTES) {
    uint32_t count = wanted.count - slot < 8 * HAD_BYTES ? wanted.count - slot : 8 * HAD_BYTES;
    memset(bitmap, 0, sizeof bitmap);
    for (uint32_t i = 0; i < count; i++) if (park_page(slot + i)) bitmap[i / 8] |= (uint8_t)(1u << (i % 8));
    if (send_frame(stream, FRAME_HAD, slot, bitmap, (count + 7) / 8, job->stall_ms) < 0) event = TARGET_ON_LINK_LOST;
  }
  if (event == TARGET_ON_LINK_LOST) because(REASON_LINK_LOST, 0, -1, NULL);
  known_close(&wanted);
  return event;
}

void recall_forget(void) {
  known_close(&wanted);
  over = answered = false;
}
