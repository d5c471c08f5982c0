// A's side before the freeze: copies memory to B round by round while the OS runs, and remembers what B has of it. Its
// agent decides how many rounds there are. Nothing here stops or changes anything; after a failure the move goes on
// without what could not be copied. The image decides in the end: a page that B has is known by its tag alone.
#include "frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WAIT = -1, NONE = 0, FLAGS_AT_ONCE = 512, TELL_US = 250000, HEARTBEAT_US = 1000000 };
enum { UNDER_WAY, OVER, IMPOSSIBLE };      // a round, as the agent is told
#define FREE_FRAMES (1ull << KPF_BUDDY | 1ull << KPF_NOPAGE | 1ull << KPF_OFFLINE | 1ull << KPF_HWPOISON | 1ull << KPF_ZERO_PAGE)
#define OUR_OWN UINT32_MAX                 // in place of a slot: memory of this program

static const struct job *job;
static int agent, stream, kcore = -1, kpageflags = -1;
static struct known parked, own;           // what B has, by slot; pages of our own that only A needs
static uint32_t *slot_of;                  // of each frame of the ranges: slot plus one, NONE, OUR_OWN
static uint64_t frames, frames_done, told_at, sent_at, heard_at, round_pages;
static uint32_t offered, answered;         // slots B was asked for, and has answered for
static bool naming_over;                   // now B answers
static int error_number;

static bool open_memory(void) {
  if (!memory_pieces(job) || !job->park_pages) return false;
  for (unsigned i = 0; i < memory_pieces(job); i++) frames += memory_piece(job, i).end - memory_piece(job, i).first;
  kcore = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
  if (kcore >= 0) kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
  if (kpageflags < 0 || mlockall(MCL_FUTURE | MCL_ONFAULT) < 0) { error_number = errno; return false; } // touched: taken
  slot_of = room(frames * sizeof *slot_of);
  if (!slot_of || !tag_begin(job) || !known_open(&parked, job->park_pages < frames ? job->park_pages : (uint32_t)frames)) { error_number = ENOMEM; return false; }
  return true;
}

static void close_memory(void) {
  if (kcore >= 0) close(kcore);
  if (kpageflags >= 0) close(kpageflags);
  if (slot_of) munmap(slot_of, frames * sizeof *slot_of);
  kcore = kpageflags = -1;
  slot_of = NULL;
}

/// Frames of what we note: they change with every page that is sent, and B never needs them.
static void mark_own(const void *at, size_t length, int pagemap) {
  uint64_t entry;
  for (size_t i = 0; i < (length + PAGE - 1) / PAGE; i++) {
    if (pread(pagemap, &entry, 8, (off_t)(((uintptr_t)at / PAGE + i) * 8)) != 8 || !(entry >> 63)) continue;
    uint64_t pfn = entry & ((1ull << 55) - 1), before = 0;
    for (unsigned r = 0; r < memory_pieces(job); r++) {
      struct range range = memory_piece(job, r);
      if (pfn >= range.first && pfn < range.end) slot_of[before + pfn - range.first] = OUR_OWN;
      before += range.end - range.first;
    }
  }
}

static void find_own(void) {
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0) return;                 // it costs some bytes only
  mark_own(parked.tags, (size_t)parked.count * sizeof(struct tag), pagemap);
  mark_own(parked.numbers, (parked.mask + 1ul) * sizeof *parked.numbers, pagemap);
  mark_own(slot_of, frames * sizeof *slot_of, pagemap);
  mark_own(out_pages, PAGES_PER_FRAME * PAGE, pagemap);
  close(pagemap);
}

static int tell_agent(uint32_t state) {
  uint8_t words[PRE_COPY_BYTES] = { 0 };
  uint32_t number = (uint32_t)report.rounds, error = (uint32_t)error_number, had = (uint32_t)report.recalled_pages;
  uint64_t left = parked.most - parked.count;
  memcpy(words, &number, 4);
  memcpy(words + 4, &state, 4);
  memcpy(words + 8, &error, 4);
  memcpy(words + 12, &had, 4);
  memcpy(words + 16, &frames_done, 8);
  memcpy(words + 24, &frames, 8);
  memcpy(words + 32, &round_pages, 8);
  memcpy(words + 40, &left, 8);
  told_at = now_us();
  if (send_frame(agent, FRAME_PRE_COPY, report.wire_bytes, words, sizeof words, job->stall_ms) == 0) return WAIT;
  because(REASON_CANCELLED, errno, -1, "the agent ended");
  return SOURCE_ON_CANCEL;
}

/// Sends what lies at out_pages; with a count of 0 only a sign of life.
static int park(const uint32_t *slots, uint32_t count) {
  uint32_t prologue[2] = { count, 0 };
  _Static_assert(sizeof prologue == PARK_PROLOGUE_BYTES, "prologue");
  ssize_t sent = send_pages(stream, FRAME_PARK, report.rounds, (struct bytes){ (uint8_t *)prologue, sizeof prologue }, slots, count, count, job->stall_ms);
  sent_at = now_us();
  if (sent < 0) return source_cannot_send();
  report.wire_bytes += (uint64_t)sent;
  report.pre_copy_bytes += (uint64_t)sent;
  return WAIT;
}

/// What the agent says: a frame type, NONE when it says nothing within `wait_ms`, -1 when it is gone.
static int agent_says(int wait_ms) {
  uint8_t head[FRAME_HEADER_BYTES];
  struct frame frame;
  struct pollfd p = { .fd = agent, .events = POLLIN };
  if (poll(&p, 1, wait_ms) <= 0) return NONE;
  return recv_all(agent, head, sizeof head, 1000) == 0 && get_frame(head, &frame, 0) ? frame.type : -1;
}

/// Everyone is heard, and shown that we are alive; WAIT when the work may go on. `said` is what the agent says.
static int attend(int wait_ms, int *said) {
  int event = source_hears();
  if (event != WAIT) return event;
  if ((*said = agent_says(wait_ms)) < 0 || *said == FRAME_CANCEL) {
    because(REASON_CANCELLED, 0, -1, *said < 0 ? "the agent ended" : NULL);
    return SOURCE_ON_CANCEL;
  }
  if (now_us() - sent_at > HEARTBEAT_US && (event = park(NULL, 0)) != WAIT) return event;
  return WAIT;
}

static int unexpected(void) { because(REASON_PROTOCOL, EBADMSG, -1, "the agent said what does not belong here"); return SOURCE_ON_FAILED; }

/// Tells the tags that B has not been told yet; none: that is all.
static int offer(void) {
  uint32_t count = parked.count - offered;
  if (send_frame(stream, FRAME_TAGS, offered, parked.tags + offered, count * (uint32_t)sizeof(struct tag), job->stall_ms) < 0) return source_cannot_send();
  offered = parked.count;
  report.wire_bytes += FRAME_HEADER_BYTES + count * sizeof(struct tag);
  report.pre_copy_bytes += FRAME_HEADER_BYTES + count * sizeof(struct tag);
  return WAIT;
}

/// Reads frames that follow each other behind the `carried` pages that wait to be sent, and keeps those B does not have.
static uint32_t take_run(const struct range *range, uint64_t pfn, uint32_t length, uint64_t at, uint32_t *slots, uint32_t carried) {
  uint8_t *pages = out_pages + (size_t)carried * PAGE;
  if (!memory_read(kcore, range, pfn, length, pages)) { error_number = errno; return carried; }
  for (uint32_t i = 0; i < length; i++) {
    const uint8_t *page = pages + (size_t)i * PAGE;
    uint32_t *slot = &slot_of[at + i];
    if (*slot == OUR_OWN || page_is_zero(page)) continue;
    struct tag tag = tag_of(page);
    if ((*slot != NONE && same_tag(&parked.tags[*slot - 1], &tag)) || known_number(&parked, &tag)) continue;
    if (*slot == NONE) {
      if (parked.count == parked.most) continue; // as much as B has promised
      *slot = ++parked.count;
    }
    known_set(&parked, *slot, &tag);
    slots[carried] = *slot - 1;
    if (page != out_pages + (size_t)carried * PAGE) memcpy(out_pages + (size_t)carried * PAGE, page, PAGE);
    carried++;
  }
  return carried;
}

/// Every frame in use once. What B does not have is sent or, before the first round, only named: B may have it.
static int look(bool naming) {
  static uint32_t slots[PAGES_PER_FRAME];
  static uint64_t flags[FLAGS_AT_ONCE];
  uint32_t carried = 0;
  uint64_t before = 0;                     // frames of the ranges before this one
  int said, event;
  frames_done = round_pages = 0;
  find_own();
  for (unsigned r = 0; r < memory_pieces(job) && !error_number; r++) {
    struct range range = memory_piece(job, r);
    for (uint64_t pfn = range.first, count; pfn < range.end && !error_number; pfn += count) {
      count = range.end - pfn < FLAGS_AT_ONCE ? range.end - pfn : FLAGS_AT_ONCE;
      ssize_t n = pread(kpageflags, flags, count * 8, (off_t)(pfn * 8));
      if (n != (ssize_t)(count * 8)) error_number = n < 0 ? errno : EIO;
      for (uint32_t i = 0, length; i < count && !error_number; i += length) {
        length = 1;
        if (flags[i] & FREE_FRAMES) continue;
        while (i + length < count && carried + length < PAGES_PER_FRAME && !(flags[i + length] & FREE_FRAMES)) length++;
        uint32_t was = carried;
        carried = take_run(&range, pfn + i, length, before + pfn + i - range.first, slots, carried);
        if (!naming) round_pages += carried - was;
        if (carried == PAGES_PER_FRAME) {
          if ((event = naming ? offer() : park(slots, carried)) != WAIT) return event;
          carried = 0;
        }
      }
      frames_done = before + pfn + count - range.first;
      if ((event = attend(0, &said)) != WAIT) return event;
      if (said != NONE) return unexpected();
      if (now_us() - told_at > TELL_US && (event = tell_agent(UNDER_WAY)) != WAIT) return event;
    }
    before += range.end - range.first;
  }
  if (!carried) return WAIT;
  return naming ? offer() : park(slots, carried); // also after an error: their tags are noted already
}

bool pre_copy_had(const struct frame *frame, const uint8_t *payload) {
  uint32_t count = offered - answered < 8 * HAD_BYTES ? offered - answered : 8 * HAD_BYTES;
  heard_at = now_us();
  if (!naming_over || answered == offered) return false;
  if (!frame->length) return true;         // it is still looking
  if (frame->arg != answered || frame->length != (count + 7) / 8) return false;
  for (uint32_t i = 0; i < count; i++) {
    if (payload[i / 8] >> (i % 8) & 1u) report.recalled_pages++;
    else known_set(&parked, answered + i + 1, &(struct tag){ 0 });
  }
  answered += count;
  return true;
}

/// What the OS left at B when it was there before is not sent: B is asked for all pages, and says which it has found.
static int ask_for_all(void) {
  int said, event = look(true);
  if (event != WAIT || !offered || (event = offer()) != WAIT) return event;
  naming_over = true;
  for (heard_at = now_us(); answered != offered && event == WAIT;) {
    poll(&(struct pollfd){ .fd = stream, .events = POLLIN }, 1, 100);
    event = attend(0, &said);
    if (event == WAIT && said != NONE) event = unexpected();
    if (now_us() - told_at > TELL_US && event == WAIT) event = tell_agent(UNDER_WAY);
    if (event == WAIT && now_us() - heard_at > job->stall_ms * UINT64_C(1000)) {
      because(REASON_STALLED, ETIMEDOUT, -1, NULL);
      event = SOURCE_ON_TIMEOUT;
    }
  }
  return event;
}

static int send_round(void) {
  report.rounds++;
  if (fault_at(job, FAULT_SOURCE_PRE_COPY) < 0) error_number = errno;
  return look(false);
}

/// Tags of pages that hold nothing but tags and the key: B gets them empty. Nobody can have a page like them.
static void disown(void) {
  struct bytes key = tag_key();
  uint32_t tag_pages = (uint32_t)((parked.count * sizeof(struct tag) + PAGE - 1) / PAGE);
  if (!known_open(&own, tag_pages + key.length / PAGE)) return;
  while (own.count < own.most) {
    uint32_t i = own.count++;
    struct tag tag = tag_of(i < tag_pages ? (uint8_t *)parked.tags + (size_t)i * PAGE : key.at + (size_t)(i - tag_pages) * PAGE);
    known_set(&own, own.count, &tag);
  }
}

int pre_copy(const struct job *the_job, int agent_fd, int stream_fd) {
  int event = WAIT, said = NONE;
  job = the_job; agent = agent_fd; stream = stream_fd;
  told_at = sent_at = now_us();
  bool able = open_memory();
  if (able && job->tag_seed.length) {
    event = ask_for_all();
    able = !error_number;
  }
  while (event == WAIT) {
    if (able) {
      event = send_round();
      able = !error_number;
      if (event != WAIT) break;
    }
    event = tell_agent(able ? OVER : IMPOSSIBLE);
    for (said = NONE; event == WAIT && said == NONE;) event = attend(100, &said);
    if (event != WAIT) break;
    if (said == FRAME_FREEZE) event = SOURCE_ON_OK;
    else if (said != FRAME_AGAIN || !able) event = unexpected();
  }
  close_memory();
  if (event == SOURCE_ON_OK && parked.count) disown();
  memset(out_pages, 0, (size_t)PAGES_PER_FRAME * PAGE); // what lies there need not be in the image
  pack_settle();
  return event;
}

int page_at_target(const uint8_t *page, uint32_t *slot) {
  if (!parked.count) return PAGE_NEW;
  struct tag tag = tag_of(page);
  uint32_t number = known_number(&parked, &tag);
  *slot = number - 1;
  return number ? PAGE_PARKED : known_number(&own, &tag) ? PAGE_OURS : PAGE_NEW;
}
