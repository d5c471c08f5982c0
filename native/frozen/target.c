// B's side: writes the image into the kernel page by page, checking every page frame number against B's own RAM map,
// freezes B, and restores on GO. Every byte from A is hostile until it has been checked.
#include "frozen.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT = -1, BEGIN_MS = 15000 };

static uint8_t in[MAX_PAYLOAD_BYTES] __attribute__((aligned(PAGE))), packed[MAX_PAYLOAD_BYTES];
static const uint8_t zero_page[PAGE];
static const struct job *job;
static int agent, stream = -1, snapshot = -1;
static uint64_t index_in_stream, pages, meta_end, signatures;
static uint8_t signature[TOKEN_BYTES];
static bool frozen;

static int bad(uint32_t reason, int error, const char *text) { because(reason, error, -1, text); return TARGET_ON_BAD; }

static void fill_mailbox(struct mailbox *box) {
  box->on_target = 1;
  if (getrandom(box->entropy, sizeof box->entropy, 0) < 0) box->reserved = 1;
}

/// To the kernel.
static int put(const uint8_t *page) {
  bool fails = index_in_stream == meta_end + 1 && fault_at(job, FAULT_TARGET_WRITE) < 0; // strikes once: no need to ask again
  ssize_t n = fails ? -1 : write(snapshot, page, PAGE);
  return n == PAGE ? 0 : bad(errno == ENOMEM ? REASON_NO_MEMORY : REASON_BAD_IMAGE, n < 0 ? errno : EIO, n < 0 ? strerror(errno) : "short write");
}

static int put_head(void) {
  for (uint64_t i = 0; i < meta_end; i++) if (put(lists_page(i))) return TARGET_ON_BAD;
  return 0;
}

/// What A's kernel has left out before the next page.
static int put_empty(void) {
  while (lists_pass_empty()) if (put(zero_page)) return TARGET_ON_BAD;
  return 0;
}

static int take_page(uint8_t *page) {
  if (index_in_stream && index_in_stream >= pages) return bad(REASON_BAD_IMAGE, EFBIG, "more pages than announced");
  if (index_in_stream == 0) { if (!lists_open(job, page, &meta_end, &pages)) return TARGET_ON_BAD; }
  else if (index_in_stream < meta_end) {
    if (!lists_take(job, page) || (index_in_stream + 1 == meta_end && put_head())) return TARGET_ON_BAD;
  } else {
    if (put_empty()) return TARGET_ON_BAD;
    bool wanted = lists_pass();
    if (wanted && page != zero_page && !memcmp(page, signature, TOKEN_BYTES)) { signatures++; fill_mailbox((struct mailbox *)page); }
    if (wanted && put(page)) return TARGET_ON_BAD;
    if (index_in_stream + 1 == pages && put_empty()) return TARGET_ON_BAD;
  }
  index_in_stream++;
  return 0;
}

static bool bit(const uint8_t *bitmap, unsigned i) { return bitmap[i / 8] >> (i % 8) & 1u; }

static int take_pages(const struct frame *frame) {
  uint32_t count, carried = 0, referred = 0, slot;
  bool contradiction = false;
  const uint8_t *carries = in + 8, *refers = carries + PAGES_PER_FRAME / 8, *slots = in + PAGES_PROLOGUE_BYTES;
  memcpy(&count, in, 4);
  if (frame->length < PAGES_PROLOGUE_BYTES || !count || count > PAGES_PER_FRAME || frame->arg != index_in_stream)
    return bad(REASON_PROTOCOL, EBADMSG, "a pages frame is malformed");
  for (unsigned i = 0; i < PAGES_PER_FRAME; i++) {
    carried += bit(carries, i);
    referred += bit(refers, i);
    contradiction |= bit(carries, i) + bit(refers, i) > (i < count);
  }
  if (frame->length != PAGES_PROLOGUE_BYTES + referred * 4 + carried * PAGE) return bad(REASON_PROTOCOL, EBADMSG, "a pages frame has the wrong length");
  if (contradiction) return bad(REASON_PROTOCOL, EBADMSG, "the bitmaps of a pages frame contradict each other");
  const uint8_t *data = slots + referred * 4;
  for (unsigned i = 0; i < count; i++) {
    const uint8_t *page = bit(carries, i) ? data : zero_page;
    if (bit(refers, i)) {
      memcpy(&slot, slots, 4);
      slots += 4;
      if (!index_in_stream || index_in_stream < meta_end) return bad(REASON_PROTOCOL, EBADMSG, "a list of the image came by reference");
      if (!(page = park_page(slot))) return bad(REASON_PROTOCOL, EBADMSG, "a reference to a page that was never parked");
      if (!memcmp(page, signature, TOKEN_BYTES)) return bad(REASON_BAD_IMAGE, EINVAL, "the mailbox page came by reference");
      report.referenced_pages++;
    }
    if (page == zero_page && index_in_stream < 2) return bad(REASON_BAD_IMAGE, EINVAL, "an empty header");
    if (take_page((uint8_t *)page)) return TARGET_ON_BAD;
    if (bit(carries, i)) data += PAGE;
  }
  return WAIT;
}

static int take_parked(const struct frame *frame) {
  const char *wrong = index_in_stream ? "a parked page behind the first of the image" : park_take(in, frame->length);
  return wrong ? bad(REASON_PROTOCOL, EBADMSG, wrong) : WAIT;
}

static int take_tags(const struct frame *frame) {
  const char *wrong = index_in_stream ? "tags behind the first page of the image" : recall_take(job, frame, in);
  return wrong ? bad(REASON_PROTOCOL, EBADMSG, wrong) : WAIT;
}

static int source_says(bool receiving) {
  uint8_t head[FRAME_HEADER_BYTES];
  struct frame frame;
  if (recv_all(stream, head, sizeof head, job->stall_ms) < 0) {
    int error = errno;
    because(reason_of_silence(error), error, -1, NULL);
    return error == ETIMEDOUT ? TARGET_ON_TIMEOUT : TARGET_ON_LINK_LOST;
  }
  if (!get_frame(head, &frame, MAX_PAYLOAD_BYTES)) return bad(REASON_PROTOCOL, EBADMSG, "a frame header is malformed");
  if (frame.length && recv_all(stream, frame.type == FRAME_PACKED ? packed : in, frame.length, job->stall_ms) < 0) {
    because(errno == ETIMEDOUT ? REASON_LINK_LOST : reason_of_silence(errno), errno, -1, NULL);
    return TARGET_ON_LINK_LOST;
  }
  if (frame.type == FRAME_ABORT) { because(REASON_ABORTED, 0, -1, NULL); return TARGET_ON_ABORT; }
  if (!receiving) return frame.type == FRAME_GO && frame.arg == job->epoch ? TARGET_ON_GO : bad(REASON_PROTOCOL, EBADMSG, "expected GO");
  report.wire_bytes += FRAME_HEADER_BYTES + frame.length;
  const char *wrong = frame.type == FRAME_PACKED ? pack_open(packed, &frame, in) : NULL;
  if (wrong) return bad(REASON_PROTOCOL, EBADMSG, wrong);
  if (frame.type == FRAME_PARK) return take_parked(&frame);
  if (frame.type == FRAME_TAGS) return take_tags(&frame);
  if (frame.type == FRAME_PAGES) {
    uint64_t began = now_us();
    int event = take_pages(&frame);
    report.times_us[STEP_WRITE] += now_us() - began;
    return event;
  }
  if (frame.type != FRAME_END) return bad(REASON_PROTOCOL, EBADMSG, "an unexpected frame");
  if (!pages || index_in_stream != pages || frame.arg != pages) return bad(REASON_BAD_IMAGE, EPIPE, "the image is not whole");
  if (signatures != 1) return bad(REASON_BAD_IMAGE, EINVAL, "the mailbox page is not in the image exactly once");
  return TARGET_ON_COMPLETE;
}

static bool begins(const uint8_t *bytes, size_t got) {
  struct frame frame;
  uint8_t different = 0;
  if (got < FRAME_HEADER_BYTES) return true;         // so far
  if (!get_frame(bytes, &frame, TOKEN_BYTES) || frame.type != FRAME_BEGIN || frame.length != TOKEN_BYTES || frame.arg != job->epoch) return false;
  if (got < FRAME_HEADER_BYTES + TOKEN_BYTES) return true;
  for (unsigned i = 0; i < TOKEN_BYTES; i++) different |= bytes[FRAME_HEADER_BYTES + i] ^ job->token[i];
  return !different;
}

/// From its first byte on the kernel deciphers what comes: a stranger's bytes end the connection. Nothing is sent on it
/// before it has shown the token, so no two connections see anything under one key.
static bool encrypt_stream(void) {
  int on = 1;
  if (job->plain) return true;
  if (setsockopt(stream, IPPROTO_TCP, TCP_ULP, "tls", 4) < 0) return false;
  if (setsockopt(stream, SOL_TLS, TLS_TX, job->tls_out.at, job->tls_out.length) < 0) return false;
  if (setsockopt(stream, SOL_TLS, TLS_RX, job->tls_in.at, job->tls_in.length) < 0) return false;
  setsockopt(stream, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &on, sizeof on); // one copy less, where the kernel knows it
  return true;
}

/// The kernel has them now, or nobody needs them any more.
static void forget_keys(void) {
  if (job->tls_in.at) explicit_bzero((void *)job->tls_in.at, job->tls_in.length);
  if (job->tls_out.at) explicit_bzero((void *)job->tls_out.at, job->tls_out.length);
}

/// A connection from A's address; others are hung up on at once, so that a crowd of strangers does not hold A up.
static int accept_source(int listener) {
  struct sockaddr_in peer = { 0 };
  socklen_t length = sizeof peer;
  int fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
  if (fd < 0 || peer.sin_addr.s_addr == job->claim_address) return fd;
  close(fd);
  return -1;
}

/// Waits for the one connection that shows the token; others are hung up on, also those that take more than BEGIN_MS.
/// Never blocks on what they send: the agent is heard all the time.
static int wait_begin(int listener) {
  uint8_t bytes[FRAME_HEADER_BYTES + TOKEN_BYTES];
  size_t got = 0;
  uint64_t end = now_us() + (uint64_t)job->ready_ms * 1000u, patience = 0;
  while (now_us() < end) {
    struct pollfd p[2] = { { .fd = stream < 0 ? listener : stream, .events = POLLIN }, { .fd = agent, .events = POLLIN } };
    bool came = poll(p, 2, 200) > 0;
    if (came && p[1].revents) { because(REASON_CANCELLED, 0, -1, NULL); return TARGET_ON_CANCEL; }
    if (stream < 0) {
      if (came) stream = accept_source(listener);
      got = 0;
      patience = now_us() + BEGIN_MS * 1000u;
      if (stream < 0 || encrypt_stream()) continue;
      int error = errno;
      close(stream);
      stream = -1;
      if (error == ENOTCONN) continue;               // it has hung up already
      return bad(REASON_PROTOCOL, error, "the kernel of the target does not encrypt the stream");
    }
    ssize_t n = came ? recv(stream, bytes + got, sizeof bytes - got, MSG_DONTWAIT) : 0;
    if (n > 0) got += (size_t)n;
    bool waiting = n > 0 || !came || (n < 0 && (errno == EAGAIN || errno == EINTR));
    if (waiting && begins(bytes, got)) {
      if (got == sizeof bytes) return TARGET_ON_BEGIN;
      if (now_us() < patience) continue;
    }
    close(stream);
    stream = -1;
  }
  because(REASON_STALLED, ETIMEDOUT, -1, "the source did not begin");
  return TARGET_ON_TIMEOUT;
}

static int receive(void) {
  uint64_t told = 0, waiting = now_us();
  for (;;) {
    struct pollfd p[2] = { { .fd = stream, .events = POLLIN }, { .fd = agent, .events = POLLIN } };
    // Before the first page A freezes and makes its image; only then does standing still mean that the link is gone.
    uint32_t limit = index_in_stream ? job->stall_ms : job->ready_ms;
    if (poll(p, 2, 200) > 0) waiting = now_us();
    else if (now_us() - waiting > (uint64_t)limit * 1000u) { because(REASON_STALLED, ETIMEDOUT, -1, NULL); return TARGET_ON_TIMEOUT; }
    if (p[1].revents) { because(REASON_CANCELLED, 0, -1, NULL); return TARGET_ON_CANCEL; }
    if (!p[0].revents) continue;
    int event = source_says(true);
    if (event == WAIT && recall_asked()) event = recall_answer(job, agent, stream, in);
    if (event != WAIT) return event;
    if (now_us() - told > 250000) {
      uint64_t progress[3] = { index_in_stream, pages, park_filled() };
      told = now_us();
      if (send_frame(agent, FRAME_PROGRESS, report.wire_bytes, progress, sizeof progress, 1000) < 0) return TARGET_ON_CANCEL;
    }
  }
}

static int restore(void) {
  plan_run(job->make_room, REASON_RESTORE);
  if (fault_at(job, FAULT_TARGET_RESTORE) == 0) ioctl(snapshot, SNAPSHOT_ATOMIC_RESTORE, 0); // does not return when it succeeds
  because(REASON_RESTORE, errno, -1, strerror(errno));
  return TARGET_ON_FAILED;
}

static void discard(int event) {
  if (frozen) ioctl(snapshot, SNAPSHOT_UNFREEZE, 0);
  if (snapshot >= 0) close(snapshot);
  uint8_t type = event == TARGET_ON_CANCEL ? FRAME_CANCEL : FRAME_FAILED;
  if (stream >= 0) {
    send_frame(stream, type, report.reason, report.text, type == FRAME_FAILED ? (uint32_t)strlen(report.text) : 0, 1000);
    shutdown(stream, SHUT_WR);
    // Read on until A has hung up: it may be deaf while it makes its image, and a reset would lose the reason.
    struct pollfd p = { .fd = stream, .events = POLLIN };
    for (uint64_t end = now_us() + (uint64_t)job->stall_ms * 1000u; now_us() < end;)
      if (poll(&p, 1, 200) > 0 && recv(stream, in, sizeof in, MSG_DONTWAIT) <= 0) break;
    close(stream);
  }
}

int run_target(const struct job *the_job, int agent_fd, int listener) {
  int state = TARGET_PREPARED;
  job = the_job; agent = agent_fd;
  mailbox_signature(job->token, signature);
  snapshot = fault_at(job, FAULT_TARGET_OPEN) < 0 ? -1 : open("/dev/snapshot", O_WRONLY | O_CLOEXEC);
  if (snapshot < 0) { because(REASON_OPEN_SNAPSHOT, errno, -1, strerror(errno)); return OUTCOME_BAD_JOB; }
  if (fault_at(job, FAULT_TARGET_ROOM) < 0 || !park_open(job->park_pages)) { because(REASON_NO_MEMORY, errno, -1, strerror(errno)); return OUTCOME_BAD_JOB; }
  send_frame(agent, FRAME_PROGRESS, 0, (uint64_t[3]){ 0, 0, 0 }, 24, 1000); // "open": the agent may answer A now
  int event = wait_begin(listener);
  forget_keys();
  for (;;) {
    const struct transition *row = &target_table[state][event];
    if (!row->next) row = &target_table[state][TARGET_ON_FAILED];
    int came = event;
    state = row->next;
    event = WAIT;
    if (state == TARGET_RECEIVING) event = receive();
    if (row->effects & TARGET_DO_FREEZE) {
      frozen = fault_at(job, FAULT_TARGET_FREEZE) == 0 && ioctl(snapshot, SNAPSHOT_FREEZE, 0) == 0;
      if (!frozen) because(REASON_FREEZE, errno, -1, "the target could not freeze itself");
      event = frozen ? TARGET_ON_OK : TARGET_ON_FAILED;
    }
    if (row->effects & TARGET_DO_SEND_READY) {
      for (int times = fault_times(job, FAULT_TARGET_READY); times > 0; times--)
        send_frame(stream, FRAME_READY, report.times_us[STEP_WRITE], NULL, 0, job->stall_ms);
      event = source_says(false);
    }
    if (row->effects & TARGET_DO_RESTORE) event = restore();
    if (row->effects & TARGET_DO_DISCARD) { discard(came); return OUTCOME_DISCARDED; }
  }
}
