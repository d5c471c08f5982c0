// The claim datagram: asked by the copy on B, answered by A. Fixed layout, checked whole before anything is believed: the
// MAC is over all of it, so also over whether it asks, grants or refuses, and which question it answers.
#include "frozen.h"
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void mailbox_signature(const uint8_t *token, uint8_t *signature) {
  // Not the token itself: that also lies in job and socket buffers, and must not be taken for the mailbox.
  for (unsigned i = 0; i < TOKEN_BYTES; i++) signature[i] = token[i] ^ (uint8_t)(0xa5 + i);
}

int claim_listen(uint32_t address, uint16_t port) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_in mine = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address }; // answers come from it
  if (fd >= 0 && bind(fd, (struct sockaddr *)&mine, sizeof mine) < 0) { close(fd); return -1; }
  return fd;
}

bool claim_receive(int fd, uint8_t *datagram, struct sockaddr_in *from) {
  uint8_t raw[CLAIM_BYTES + 1];
  socklen_t length = sizeof *from;
  uint32_t magic;
  uint16_t version;
  if (recvfrom(fd, raw, sizeof raw, MSG_DONTWAIT, (struct sockaddr *)from, &length) != CLAIM_BYTES) return false;
  memcpy(&magic, raw + CLAIM_AT_MAGIC, 4);
  memcpy(&version, raw + CLAIM_AT_VERSION, 2);
  memcpy(datagram, raw, CLAIM_BYTES);
  return magic == CLAIM_MAGIC && version == WIRE_VERSION;
}

uint16_t claim_kind(const uint8_t *datagram) {
  uint16_t kind;
  memcpy(&kind, datagram + CLAIM_AT_KIND, 2);
  return kind;
}

static const uint8_t *key_of(const struct job *job, uint64_t epoch) {
  const uint8_t *at = job->past_claims.at, *end = at + job->past_claims.length;
  uint64_t past;
  if (epoch == job->epoch) return job->claim_key;
  for (; at < end; at += PAST_CLAIM_BYTES) {
    memcpy(&past, at, 8);
    if (past == epoch) return at + 8;
  }
  return NULL;
}

static void mac_of(const uint8_t *key, const uint8_t *datagram, uint8_t *mac) {
  uint8_t bare[CLAIM_BYTES];
  memcpy(bare, datagram, CLAIM_BYTES);
  memset(bare + CLAIM_AT_MAC, 0, MAC_BYTES);
  hmac_sha256(key, bare, CLAIM_BYTES, mac);
}

static void sign(const uint8_t *key, uint8_t *datagram) {
  uint8_t mac[MAC_BYTES];
  mac_of(key, datagram, mac);
  memcpy(datagram + CLAIM_AT_MAC, mac, MAC_BYTES);
}

enum whose claim_whose(const struct job *job, const uint8_t *datagram) {
  uint64_t epoch;
  uint8_t mac[MAC_BYTES], different = 0;
  memcpy(&epoch, datagram + CLAIM_AT_EPOCH, 8);
  const uint8_t *key = key_of(job, epoch);
  if (!key) return CLAIM_OF_NOBODY;
  mac_of(key, datagram, mac);
  for (unsigned i = 0; i < MAC_BYTES; i++) different |= datagram[CLAIM_AT_MAC + i] ^ mac[i]; // constant time
  return different ? CLAIM_OF_NOBODY : epoch == job->epoch ? CLAIM_OF_THIS : CLAIM_OF_PAST;
}

void claim_make(uint8_t *datagram, const struct job *job, uint64_t sequence) {
  uint32_t magic = CLAIM_MAGIC;
  uint16_t version = WIRE_VERSION, kind = CLAIM_KIND_CLAIM;
  memset(datagram, 0, CLAIM_BYTES);
  memcpy(datagram + CLAIM_AT_MAGIC, &magic, 4);
  memcpy(datagram + CLAIM_AT_VERSION, &version, 2);
  memcpy(datagram + CLAIM_AT_KIND, &kind, 2);
  memcpy(datagram + CLAIM_AT_EPOCH, &job->epoch, 8);
  memcpy(datagram + CLAIM_AT_SEQUENCE, &sequence, 8);
  sign(job->claim_key, datagram);
}

void claim_answer(const struct job *job, int fd, uint8_t *datagram, uint16_t kind, const uint64_t *times_us, const struct sockaddr_in *to) {
  struct timespec t;
  const uint8_t *key;
  uint64_t epoch;
  clock_gettime(CLOCK_REALTIME, &t);
  uint64_t realtime_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  memcpy(datagram + CLAIM_AT_KIND, &kind, 2); // the rest is as it came: whose claim it was, and which of them
  memcpy(datagram + CLAIM_AT_REALTIME_NS, &realtime_ns, 8);
  for (unsigned i = 0; i < STEPS; i++) {
    uint32_t us = times_us[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)times_us[i];
    memcpy(datagram + CLAIM_AT_TIMES_US + 4 * i, &us, 4);
  }
  memcpy(datagram + CLAIM_AT_PAGES, &report.pages, 8);
  memcpy(datagram + CLAIM_AT_WIRE_BYTES, &report.wire_bytes, 8);
  memcpy(datagram + CLAIM_AT_REFERENCED_PAGES, &report.referenced_pages, 8);
  memcpy(&epoch, datagram + CLAIM_AT_EPOCH, 8);
  if (!(key = key_of(job, epoch))) return; // nobody's: it could not believe the answer
  sign(key, datagram);
  claim_send(fd, datagram, to);
}

void claim_send(int fd, const uint8_t *datagram, const struct sockaddr_in *to) {
  sendto(fd, datagram, CLAIM_BYTES, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}
