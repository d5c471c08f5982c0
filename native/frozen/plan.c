// The plan interpreter: prepared system calls, one after the other. Layout of an operation:
// u16 kind, u16 flags, u32 payload length, payload.
#include "frozen.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFER_BYTES 65536
static uint8_t buffer[BUFFER_BYTES];      // ioctl arguments and netlink messages; both may be written to
enum { RECLAIM_AT_ONCE = 64 << 20, RECLAIM_LEAST = 1 << 20, RECLAIM_US = 5000000 };
static int netlink = -1, packet = -1;
static uint32_t sequence;
static uint32_t card;                      // index of the interface that OP_FIND_CARD has found

void plan_open(void) {
  netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  packet = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

struct operation { uint16_t kind, flags; struct bytes payload; };

static bool next_operation(struct bytes *plan, struct operation *op) {
  if (plan->length < 8) return false;
  memcpy(&op->kind, plan->at, 2);
  memcpy(&op->flags, plan->at + 2, 2);
  memcpy(&op->payload.length, plan->at + 4, 4);
  op->payload.at = plan->at + 8;
  if (op->payload.length > plan->length - 8) return false;
  plan->at += 8 + op->payload.length;
  plan->length -= 8 + op->payload.length;
  return true;
}

/// Splits a NUL-terminated path off the front of `rest`.
static const char *take_path(struct bytes *rest) {
  const uint8_t *end = memchr(rest->at, 0, rest->length);
  if (!end || end == rest->at) return NULL;
  const char *path = (const char *)rest->at;
  rest->length -= (uint32_t)(end + 1 - rest->at);
  rest->at = end + 1;
  return path;
}

static struct bytes after(struct bytes b, uint32_t n) { return (struct bytes){ b.at + n, b.length - n }; }

static bool operation_valid(const struct operation *op) {
  struct bytes rest = op->payload;
  switch (op->kind) {
    case OP_WRITE_FILE: return take_path(&rest) != NULL;
    case OP_IOCTL: return rest.length > 8 && (rest = after(rest, 8), take_path(&rest)) && rest.length <= BUFFER_BYTES;
    case OP_NETLINK:
    case OP_NETLINK_CARD: {
      struct nlmsghdr head;
      uint32_t at;
      if (rest.length < 4 + sizeof head || rest.length - 4 > BUFFER_BYTES) return false;
      memcpy(&at, rest.at, 4);
      if (op->kind == OP_NETLINK_CARD && (at < sizeof head || at > rest.length - 8)) return false;
      memcpy(&head, rest.at + 4, sizeof head);
      return head.nlmsg_len == rest.length - 4;
    }
    case OP_FIND_CARD:
    case OP_WAIT_TEXT:
    case OP_WAIT_PATH: return rest.length > 4 && (rest = after(rest, 4), take_path(&rest));
    case OP_RECLAIM: return rest.length > 8 && (rest = after(rest, 8), take_path(&rest));
    case OP_SEND_PACKET: return rest.length >= 4 + 14 && rest.length <= 4 + 1514;
    default: return false;
  }
}

bool plan_valid(struct bytes plan) {
  struct operation op;
  while (plan.length) if (!next_operation(&plan, &op) || !operation_valid(&op)) return false;
  return true;
}

static int write_file(struct bytes rest) {
  const char *path = take_path(&rest);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t n = write(fd, rest.at, rest.length);
  int saved = errno;
  close(fd);
  errno = n < 0 ? saved : EIO;
  return n == (ssize_t)rest.length ? 0 : -1;
}

static int do_ioctl(struct bytes rest) {
  uint64_t request;
  memcpy(&request, rest.at, 8);
  rest = after(rest, 8);
  const char *path = take_path(&rest);
  memcpy(buffer, rest.at, rest.length);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return -1;
  int result = ioctl(fd, request, buffer), saved = errno;
  close(fd);
  errno = saved;
  return result < 0 ? -1 : 0;
}

/// `card_at`: where the index of the card goes, 0: nowhere.
static int do_netlink(struct bytes rest, uint32_t card_at) {
  memcpy(buffer, rest.at, rest.length);
  if (card_at) memcpy(buffer + card_at, &card, 4);
  struct nlmsghdr *head = (struct nlmsghdr *)buffer;
  head->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  head->nlmsg_seq = ++sequence;
  struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
  if (sendto(netlink, buffer, rest.length, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -1;
  for (;;) {
    struct pollfd p = { .fd = netlink, .events = POLLIN };
    if (poll(&p, 1, 5000) <= 0) { errno = ETIMEDOUT; return -1; }
    ssize_t n = recv(netlink, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < (ssize_t)sizeof *head) continue;
    if (head->nlmsg_seq != sequence || head->nlmsg_type != NLMSG_ERROR) continue;
    int error = ((struct nlmsgerr *)NLMSG_DATA(head))->error;
    errno = error < -4095 || error > 0 ? EBADMSG : -error; // include/linux/err.h MAX_ERRNO
    return error ? -1 : 0;
  }
}

static int netlink_route(struct bytes rest) {
  uint32_t protocol;
  memcpy(&protocol, rest.at, 4);
  if (protocol != NETLINK_ROUTE) { errno = EPROTONOSUPPORT; return -1; }
  return do_netlink(after(rest, 4), 0);
}

static int netlink_card(struct bytes rest) {
  uint32_t at;
  memcpy(&at, rest.at, 4);
  if (!card) { errno = ENODEV; return -1; }
  return do_netlink(after(rest, 4), at);
}

static bool is_there(const char *path, struct bytes unused) {
  (void)unused;
  return access(path, F_OK) == 0;
}

static bool begins_with(const char *path, struct bytes text) {
  char begin[64];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  ssize_t n = read(fd, begin, sizeof begin); // fails while a card is switched off
  close(fd);
  return text.length <= sizeof begin && n >= (ssize_t)text.length && !memcmp(begin, text.at, text.length);
}

/// The interface whose place in /sys goes through `address` ("/0000:00:05.0/"); its name is not known beforehand.
static bool card_found(const char *address, struct bytes unused) {
  static char entries[4096] __attribute__((aligned(8)));
  char place[512];
  long n;
  (void)unused;
  int folder = open("/sys/class/net", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  card = 0;
  while (folder >= 0 && !card && (n = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0) {
    for (long at = 0; at < n && !card;) {
      struct dirent64 *entry = (struct dirent64 *)(entries + at);
      ssize_t length = readlinkat(folder, entry->d_name, place, sizeof place - 1);
      at += entry->d_reclen;
      if (length <= 0) continue;
      place[length] = 0;
      if (strstr(place, address)) card = if_nametoindex(entry->d_name);
    }
  }
  if (folder >= 0) close(folder);
  return card != 0;
}

static int wait_for(struct bytes rest, bool (*is_so)(const char *path, struct bytes text)) {
  uint32_t limit_ms;
  memcpy(&limit_ms, rest.at, 4);
  rest = after(rest, 4);
  const char *path = take_path(&rest);
  for (uint64_t end = now_us() + (uint64_t)limit_ms * 1000u; !is_so(path, rest);) {
    if (now_us() >= end) { errno = ETIMEDOUT; return -1; }
    poll(NULL, 0, 5);
  }
  return 0;
}

static int send_packet(struct bytes rest) {
  struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_halen = 6 };
  uint32_t index;
  memcpy(&index, rest.at, 4);
  rest = after(rest, 4);
  to.sll_ifindex = (int)(index ? index : card);
  memcpy(to.sll_addr, rest.at, 6);
  uint16_t protocol;
  memcpy(&protocol, rest.at + 12, 2);
  to.sll_protocol = protocol;
  return sendto(packet, rest.at, rest.length, 0, (struct sockaddr *)&to, sizeof to) < 0 ? -1 : 0;
}

/// Pages that are being written to the swap are not free yet: the kernel says EAGAIN, and has more a little later.
static int reclaim(struct bytes rest) {
  uint64_t most, least = UINT64_MAX, until = 0; // what there was in use when it last went down
  memcpy(&most, rest.at, 8);
  rest = after(rest, 8);
  const char *path = take_path(&rest);
  for (;;) {
    struct sysinfo memory;
    char text[24];
    if (sysinfo(&memory) < 0) return -1;
    uint64_t used = (uint64_t)(memory.totalram - memory.freeram) * memory.mem_unit, more = used - most;
    if (used <= most) return 0;
    if (used + RECLAIM_LEAST < least) { least = used; until = now_us() + RECLAIM_US; }
    if (now_us() >= until) { errno = ENOMEM; return -1; }
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)(more < RECLAIM_AT_ONCE ? more : RECLAIM_AT_ONCE));
    ssize_t n = write(fd, text, (size_t)length);
    int saved = errno;
    close(fd);
    if (n < 0 && saved != EAGAIN) { errno = saved; return -1; }
    if (n < 0) poll(NULL, 0, 10);
  }
}

static int run(struct bytes plan, uint32_t reason, bool goes_on) {
  struct operation op;
  int outcome = 0;
  for (int index = 0; plan.length; index++) {
    if (!next_operation(&plan, &op)) { because(reason, EBADMSG, index, NULL); return -1; }
    int result;
    switch (op.kind) {
      case OP_WRITE_FILE: result = write_file(op.payload); break;
      case OP_IOCTL: result = do_ioctl(op.payload); break;
      case OP_NETLINK: result = netlink_route(op.payload); break;
      case OP_NETLINK_CARD: result = netlink_card(op.payload); break;
      case OP_WAIT_PATH: result = wait_for(op.payload, is_there); break;
      case OP_WAIT_TEXT: result = wait_for(op.payload, begins_with); break;
      case OP_FIND_CARD: result = wait_for(op.payload, card_found); break;
      case OP_SEND_PACKET: result = send_packet(op.payload); break;
      case OP_RECLAIM: result = reclaim(op.payload); break;
      default: errno = EBADMSG; result = -1;
    }
    if (result < 0 && !(op.flags & OP_MAY_FAIL)) {
      because(reason, errno, index, NULL);
      if (!goes_on) return -1;
      outcome = -1;
    }
  }
  return outcome;
}

int plan_run(struct bytes plan, uint32_t reason) { return run(plan, reason, false); }

int plan_run_all(struct bytes plan, uint32_t reason) { return run(plan, reason, true); }
