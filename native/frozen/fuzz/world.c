// The calls of the helper, answered from a script; see world.h.
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct world world;
static struct piece pieces[MOST_PIECES];
static unsigned piece_count, calls, cursor[CHANNELS];
static uint32_t taken[CHANNELS];
static uint64_t ready_at[CHANNELS];
static bool connected;
static uint64_t flood_ends_at;
static uint32_t asked_number;             // of the last netlink message
enum { MOST_CALLS = 400000, IMAGE_PAGES = 8 };

static bool of_channel(const struct piece *p, unsigned channel) {
  return p->channel == channel || (channel == STREAM && (p->channel == HANG_UP || p->channel == RESET));
}

static struct piece *next_piece(unsigned channel) {
  while (cursor[channel] < piece_count && !of_channel(&pieces[cursor[channel]], channel)) cursor[channel]++;
  return cursor[channel] < piece_count ? &pieces[cursor[channel]] : NULL;
}

static void count_call(void) {
  world.now_us++;
  if (++calls > MOST_CALLS) world_over("it goes on and on");
}

static bool is_flood(unsigned channel, const struct piece *p) { return channel == CLAIMS && p->gap_us == FLOOD * GAP_US; }

/// When the next piece can be heard: 0 now, UINT64_MAX not before something else happens.
static uint64_t heard_at(unsigned channel) {
  struct piece *p = next_piece(channel);
  if (!p || p->stage > world.stage) return UINT64_MAX;
  if (channel == AGENT && !world.cancelled_at) world.cancelled_at = world.now_us;
  if (is_flood(channel, p)) return 0;
  if (!ready_at[channel] && p->gap_us) ready_at[channel] = world.now_us + p->gap_us;
  return ready_at[channel] > world.now_us ? ready_at[channel] : 0;
}

static void done_with(unsigned channel) {
  cursor[channel]++;
  taken[channel] = 0;
  ready_at[channel] = 0;
}

/// A datagram, or the next bytes of a stream. -1 with EAGAIN when there is nothing.
static ssize_t hear(unsigned channel, void *out, size_t room, bool whole) {
  count_call();
  if (heard_at(channel)) { errno = EAGAIN; return -1; }
  struct piece *p = next_piece(channel);
  world.last_heard_at = world.now_us;
  if (p->channel == HANG_UP) return 0;
  if (p->channel == RESET) { errno = ECONNRESET; return -1; }
  size_t left = p->length - taken[channel], n = left < room ? left : room;
  if (p->gap_us && !whole && n > 1) n = 1;
  memcpy(out, p->at + taken[channel], n);
  taken[channel] += (uint32_t)n;
  if (p->gap_us) ready_at[channel] = world.now_us + p->gap_us;
  if (is_flood(channel, p)) {
    if (!flood_ends_at) flood_ends_at = world.now_us + (world.patience_us < FLOOD_LASTS_US ? world.patience_us : FLOOD_LASTS_US);
    if (world.now_us < flood_ends_at) { taken[channel] = 0; world.now_us += FLOOD_US; return (ssize_t)n; }
    flood_ends_at = 0;
  }
  if (whole || taken[channel] == p->length) done_with(channel);
  return n || whole ? (ssize_t)n : hear(channel, out, room, whole); // an empty piece
}

static void reach(unsigned stage) { if (world.stage < stage) world.stage = stage; }

// --- what the helper says ---

struct speech { uint8_t head[FRAME_HEADER_BYTES]; uint32_t got, left; };
static struct speech to_peer, to_agent;

static void frame_said(bool peer, const struct frame *frame) {
  if (!peer && frame->type == FRAME_PRE_COPY) reach(AT_ROUND);
  if (!peer && frame->type == FRAME_RESULT) { world.reported = true; world.outcome = frame->arg; }
  if (!peer) return;
  if (frame->type == FRAME_TAGS && !frame->length) reach(AT_NAMED);
  if (frame->type == FRAME_PAGES) reach(AT_PAGES);
  if (frame->type == FRAME_END || frame->type == FRAME_READY) reach(AT_END);
  if (frame->type == FRAME_GO) { world.go_sent = true; reach(AT_GO); }
  world.failed_sent += frame->type == FRAME_FAILED;
}

static void say(struct speech *s, const uint8_t *at, size_t length) {
  while (length) {
    size_t n = s->left ? s->left : FRAME_HEADER_BYTES - s->got;
    struct frame frame;
    if (n > length) n = length;
    if (s->left) s->left -= (uint32_t)n;
    else { memcpy(s->head + s->got, at, n); s->got += (uint32_t)n; }
    at += n;
    length -= n;
    if (s->got < FRAME_HEADER_BYTES) continue;
    if (s->left) continue;
    if (s->got == FRAME_HEADER_BYTES) {
      if (!get_frame(s->head, &frame, MAX_PAYLOAD_BYTES)) broken("it sent what is no frame");
      frame_said(s == &to_peer, &frame);
      s->left = frame.length;
      s->got = FRAME_HEADER_BYTES + 1;     // the payload comes
    }
    if (!s->left) s->got = 0;
  }
}

// --- calls ---

ssize_t __wrap_recv(int fd, void *out, size_t room, int flags) {
  (void)flags;
  if (fd == FD_STREAM) return hear(STREAM, out, room, false);
  if (fd == FD_AGENT) return hear(AGENT, out, room, false);
  if (fd == FD_NETLINK) {
    ssize_t n = hear(NETLINK, out, room, true);
    uint32_t number = 0;
    if (n >= 12) memcpy(&number, (uint8_t *)out + 8, 4);
    if (number == 1) memcpy((uint8_t *)out + 8, &asked_number, 4); // as the kernel answers, unless it is spoilt
    return n;
  }
  broken("recv from nowhere");
}

static bool to_be_signed(const uint8_t *datagram) {
  for (unsigned i = 0; i < MAC_BYTES; i++) if (datagram[CLAIM_AT_MAC + i] != TO_BE_SIGNED) return false;
  return true;
}

/// What a copy of the move in that epoch has, NULL when no such move is known. Written apart from claim.c on purpose.
static const uint8_t *key_of(const uint8_t *datagram) {
  const struct bytes past = world.job->past_claims;
  if (!memcmp(datagram + CLAIM_AT_EPOCH, &world.job->epoch, 8)) return world.job->claim_key;
  for (uint32_t at = 0; at < past.length; at += PAST_CLAIM_BYTES)
    if (!memcmp(past.at + at, datagram + CLAIM_AT_EPOCH, 8)) return past.at + at + 8;
  return NULL;
}

static void mac_of(const uint8_t *key, const uint8_t *datagram, uint8_t *mac) {
  uint8_t bare[CLAIM_BYTES];
  memcpy(bare, datagram, CLAIM_BYTES);
  memset(bare + CLAIM_AT_MAC, 0, MAC_BYTES);
  hmac_sha256(key, bare, CLAIM_BYTES, mac);
}

static void sign(uint8_t *datagram) {
  uint8_t mac[MAC_BYTES];
  const uint8_t *key = key_of(datagram);
  mac_of(key ? key : world.job->claim_key, datagram, mac);
  memcpy(datagram + CLAIM_AT_MAC, mac, MAC_BYTES);
}

/// The kind of a datagram that is whole and signed with the key of its move, else 0.
static uint16_t signed_kind(const uint8_t *datagram, size_t n) {
  uint8_t mac[MAC_BYTES];
  uint32_t magic = CLAIM_MAGIC;
  uint16_t version = WIRE_VERSION;
  if (n != CLAIM_BYTES || memcmp(datagram + CLAIM_AT_MAGIC, &magic, 4) || memcmp(datagram + CLAIM_AT_VERSION, &version, 2)) return 0;
  const uint8_t *key = key_of(datagram);
  if (!key) return 0;
  mac_of(key, datagram, mac);
  return memcmp(datagram + CLAIM_AT_MAC, mac, MAC_BYTES) ? 0 : claim_kind(datagram);
}

ssize_t __wrap_recvfrom(int fd, void *out, size_t room, int flags, struct sockaddr *from, socklen_t *length) {
  (void)flags;
  if (fd != FD_CLAIMS) broken("recvfrom from nowhere");
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = world.job->claim_address };
  ssize_t n = hear(CLAIMS, out, room, true);
  if (n < 0) return n;
  if (n == CLAIM_BYTES && to_be_signed(out)) sign(out);
  memcpy(from, &peer, *length < sizeof peer ? *length : sizeof peer);
  uint16_t kind = signed_kind(out, (size_t)n);
  bool ours = kind && key_of(out) == world.job->claim_key;
  world.claimed = world.go_sent && ours && kind == CLAIM_KIND_CLAIM;
  world.granted |= ours && kind == CLAIM_KIND_GRANT;
  world.refused |= ours && kind == CLAIM_KIND_REFUSE;
  world.answerable = kind == CLAIM_KIND_CLAIM;
  if (world.answerable) memcpy(world.asked, (uint8_t *)out + CLAIM_AT_EPOCH, sizeof world.asked);
  return n;
}

ssize_t __wrap_send(int fd, const void *data, size_t length, int flags) {
  (void)flags;
  count_call();
  if (fd == FD_STREAM) say(&to_peer, data, length);
  else if (fd == FD_AGENT) say(&to_agent, data, length);
  else broken("send to nowhere");
  return (ssize_t)length;
}

void world_asked(void) {
  if (world.now_us - world.asked_at > world.longest_unasked_us) world.longest_unasked_us = world.now_us - world.asked_at;
  world.asked_at = world.now_us;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t length, int flags, const struct sockaddr *to, socklen_t to_length) {
  (void)flags; (void)to; (void)to_length;
  count_call();
  if (fd == FD_CLAIMS && length == CLAIM_BYTES) {
    if (!signed_kind(data, length)) broken("it sent a claim or an answer that nobody can believe");
    if (claim_kind(data) == CLAIM_KIND_CLAIM) world_asked();
    else if (!world.answerable || memcmp(world.asked, (const uint8_t *)data + CLAIM_AT_EPOCH, sizeof world.asked)) broken("it answered what no copy has asked");
    if (claim_kind(data) == CLAIM_KIND_GRANT) {
      if (!world.claimed) broken("granted, but nobody claimed after GO");
      if (!world.frozen || world.thawed) broken("granted, though it does not stand still");
      world.grants_sent++;
    }
  }
  if (fd == FD_NETLINK) memcpy(&asked_number, (const uint8_t *)data + 8, 4);
  return (ssize_t)length;
}

static const int channel_of[] = { [FD_STREAM - FD_STREAM] = STREAM, [FD_AGENT - FD_STREAM] = AGENT, [FD_LISTENER - FD_STREAM] = STREAM, [FD_CLAIMS - FD_STREAM] = CLAIMS, [FD_NETLINK - FD_STREAM] = NETLINK };

static uint64_t poll_once(struct pollfd *fds, nfds_t count, int *ready) {
  uint64_t soonest = UINT64_MAX;
  *ready = 0;
  for (nfds_t i = 0; i < count; i++) {
    fds[i].revents = 0;
    if (fds[i].fd < FD_STREAM) continue;
    uint64_t at = fds[i].events & POLLOUT ? 0 : heard_at((unsigned)channel_of[fds[i].fd - FD_STREAM]);
    if (at == 0) { fds[i].revents = fds[i].events; ++*ready; }
    if (at < soonest) soonest = at;
  }
  return soonest;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout) {
  int ready;
  count_call();
  uint64_t at = poll_once(fds, count, &ready), end = world.now_us + (uint64_t)timeout * 1000u;
  if (ready || timeout == 0) return ready;
  if (timeout < 0 && at == UINT64_MAX) world_over("it waits for ever");
  if (timeout >= 0 && at > end) {
    world.now_us = end;
    if (world.now_us > world.last_heard_at + (world.granted ? PATIENCE_US : world.patience_us)) world_over("nothing comes any more");
    return 0;
  }
  world.now_us = at;
  poll_once(fds, count, &ready);
  return ready;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  struct sockaddr_in peer = { .sin_family = AF_INET, .sin_addr.s_addr = world.job->claim_address };
  (void)fd; (void)flags;
  count_call();
  if (heard_at(STREAM)) { errno = EAGAIN; return -1; }
  memcpy(address, &peer, *length < sizeof peer ? *length : sizeof peer);
  connected = true;
  return FD_STREAM;
}

int __wrap_close(int fd) {
  if (fd < FD_STREAM || fd >= FD_END) broken("close of what is not open");
  if (fd != FD_STREAM || !connected) return 0;
  // The next connection begins behind the end of this one.
  for (struct piece *p; (p = next_piece(STREAM)) && p->channel == STREAM;) done_with(STREAM);
  if (next_piece(STREAM)) done_with(STREAM);
  memset(&to_peer, 0, sizeof to_peer);
  connected = false;
  return 0;
}

int __wrap_open(const char *path, int flags, ...) {
  (void)flags;
  count_call();
  if (!strcmp(path, "/dev/snapshot")) return FD_SNAPSHOT;
  if (!strcmp(path, "/proc/kcore")) return FD_KCORE;
  if (!strcmp(path, "/proc/kpageflags")) return FD_FLAGS;
  if (!strcmp(path, "/proc/sysrq-trigger")) return FD_RESET;
  if (!strcmp(path, "/fuzz/leave")) { world.left++; return FD_FILE; }
  if (!strcmp(path, "/fuzz/back")) { world.back++; return FD_FILE; }
  if (!strncmp(path, "/fuzz/", 6)) return FD_FILE;
  errno = ENOENT;
  return -1;
}

int __wrap_socket(int domain, int type, int protocol) {
  (void)type; (void)protocol;
  return domain == AF_NETLINK ? FD_NETLINK : domain == AF_PACKET ? FD_PACKET : FD_CLAIMS;
}

ssize_t __wrap_read(int fd, void *out, size_t length) {
  static unsigned at;
  if (fd != FD_SNAPSHOT || length != PAGE) broken("read from nowhere");
  if (at == IMAGE_PAGES) return 0;
  uint64_t counts[2] = { IMAGE_PAGES - 2, IMAGE_PAGES };
  memset(out, at < 5 ? (int)at : 0, PAGE);
  if (at == 0) memcpy((uint8_t *)out + IMAGE_AT_IMAGE_PAGES, counts, sizeof counts);
  if (at == 3) mailbox_signature(world.job->token, out);
  at++;
  return PAGE;
}

ssize_t __wrap_write(int fd, const void *data, size_t length) {
  count_call();
  if (fd == FD_RESET) world_over("it resets its computer");
  if (fd == FD_FILE) return length > 2 && ((const uint8_t *)data)[0] == '!' ? (errno = EIO, -1) : (ssize_t)length;
  if (fd != FD_SNAPSHOT || length != PAGE) broken("write to nowhere");
  if (world.page_count == MOST_PAGES) { errno = ENOMEM; return -1; }
  memcpy(world.pages[world.page_count++], data, PAGE);
  return PAGE;
}

ssize_t __wrap_pread(int fd, void *out, size_t length, off_t offset) {
  count_call();
  memset(out, fd == FD_KCORE ? (int)(offset / PAGE % 3) : 0, length);
  return (ssize_t)length;
}

int __wrap_ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  void *argument = va_arg(list, void *);
  va_end(list);
  count_call();
  if (fd == FD_FILE) { if (request & 1u) { errno = ENOTTY; return -1; } return 0; }
  if (fd != FD_SNAPSHOT) broken("ioctl of nothing");
  switch (request) {
    case SNAPSHOT_FREEZE: world.frozen++; world.frozen_at = world.now_us; reach(AT_FROZEN); return 0;
    case SNAPSHOT_UNFREEZE:
      world.frozen--;
      world.thawed = true;
      if (world.now_us - world.frozen_at > world.longest_frozen_us) world.longest_frozen_us = world.now_us - world.frozen_at;
      if (world.left && !world.back) broken("thawed without its devices");
      return 0;
    case SNAPSHOT_FREE: return 0;
    case SNAPSHOT_CREATE_IMAGE: reach(AT_IMAGE); return 0;
    case SNAPSHOT_GET_IMAGE_SIZE: *(uint64_t *)argument = IMAGE_PAGES * PAGE; return 0;
    case SNAPSHOT_ATOMIC_RESTORE: world.restored = true; check_image(); errno = EINVAL; return -1;
    default: broken("an unknown ioctl");
  }
}

int __wrap_access(const char *path, int how) { (void)how; return !strncmp(path, "/fuzz/", 6) ? 0 : (errno = ENOENT, -1); }
int __wrap_bind(int fd, const struct sockaddr *a, socklen_t n) { (void)fd; (void)a; (void)n; return 0; }
int __wrap_setsockopt(int fd, int l, int n, const void *v, socklen_t s) { (void)fd; (void)l; (void)n; (void)v; (void)s; return 0; }
int __wrap_shutdown(int fd, int how) { (void)fd; (void)how; return 0; }
int __wrap_mlockall(int flags) { (void)flags; return 0; }
int __wrap_reboot(int how) { (void)how; world_over("it resets its computer"); }
void guard_open(int snapshot, void (*bereft)(void)) { (void)snapshot; (void)bereft; } // in place of guard.c
void guard_close(void) {}
int __wrap_fork(void) { broken("it forks"); }
void __wrap__exit(int code) { (void)code; world_over("it ends"); }
int __wrap_clock_settime(clockid_t clock, const struct timespec *t) { (void)clock; (void)t; return 0; }
int __wrap_clock_gettime(clockid_t clock, struct timespec *t) {
  (void)clock;
  count_call();
  *t = (struct timespec){ .tv_sec = (time_t)(world.now_us / 1000000u), .tv_nsec = (long)(world.now_us % 1000000u) * 1000 };
  return 0;
}

// --- the script ---

void world_begin(const struct job *job, const uint8_t *script, uint32_t length) {
  memset(&world, 0, offsetof(struct world, pages));
  memset(cursor, 0, sizeof cursor);
  memset(taken, 0, sizeof taken);
  memset(ready_at, 0, sizeof ready_at);
  piece_count = calls = 0;
  flood_ends_at = 0;
  world.job = job;
  world.now_us = world.asked_at = 1000000;
  world.patience_us = PATIENCE_US;
  for (uint32_t at = 0; length - at >= 4 && piece_count < MOST_PIECES;) {
    uint16_t wanted;
    memcpy(&wanted, script + at + 2, 2);
    uint32_t left = length - at - 4, n = wanted < left ? wanted : left;
    pieces[piece_count++] = (struct piece){ script[at] % CHANNELS, (script[at + 1] & 15u) % STAGES, (script[at + 1] >> 4) * (uint32_t)GAP_US, script + at + 4, n };
    at += 4 + n;
  }
}

struct bytes world_subject(void) {
  struct piece *p = next_piece(SUBJECT);
  uint32_t length = p ? p->length : 0;
  uint8_t *copy = malloc(length ? length : 1);
  if (length) memcpy(copy, p->at, length);
  return (struct bytes){ copy, length };
}
