// The claim datagram: asked by the copy on B, answered by A. Fixed layout, checked whole before anything is believed.
#include "frozen.h"
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void mailbox_signature(const uint8_t *token, uint8_t *signature) {
  // Not the token itself: that also lies in job and socket buffers, and must not be taken for the mailbox.
  for (unsigned i = 0; i < TOKEN_BYTES; i++) signature[i] = token[i] ^ (uint8_t)(0xa5 + i);
}

int claim_listen(uint16_t port) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
  if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) < 0) { close(fd); return -1; }
  return fd;
}

bool claim_receive(int fd, const struct job *job, uint16_t kind, uint8_t *out, struct sockaddr_in *from) {
  uint8_t datagram[CLAIM_BYTES + 1];
  socklen_t length = sizeof *from;
  ssize_t n = recvfrom(fd, datagram, sizeof datagram, MSG_DONTWAIT, (struct sockaddr *)from, &length);
  uint32_t magic;
  uint16_t version, is;
  uint64_t epoch;
  if (n != CLAIM_BYTES) return false;
  memcpy(&magic, datagram + CLAIM_AT_MAGIC, 4);
  memcpy(&version, datagram + CLAIM_AT_VERSION, 2);
  memcpy(&is, datagram + CLAIM_AT_KIND, 2);
  memcpy(&epoch, datagram + CLAIM_AT_EPOCH, 8);
  uint8_t different = 0; // constant time: the token is a secret
  for (unsigned i = 0; i < TOKEN_BYTES; i++) different |= datagram[CLAIM_AT_TOKEN + i] ^ job->token[i];
  if (magic != CLAIM_MAGIC || version != WIRE_VERSION || (kind ? is != kind : is == CLAIM_KIND_CLAIM)) return false;
  if (epoch != job->epoch || different) return false;
  memcpy(out, datagram, CLAIM_BYTES);
  return true;
}

void claim_send(int fd, const struct job *job, uint16_t kind, uint64_t sequence, const uint64_t *times_us, const struct sockaddr_in *to) {
  uint8_t datagram[CLAIM_BYTES] = { 0 };
  uint32_t magic = CLAIM_MAGIC;
  uint16_t version = WIRE_VERSION;
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  uint64_t realtime_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  memcpy(datagram + CLAIM_AT_MAGIC, &magic, 4);
  memcpy(datagram + CLAIM_AT_VERSION, &version, 2);
  memcpy(datagram + CLAIM_AT_KIND, &kind, 2);
  memcpy(datagram + CLAIM_AT_EPOCH, &job->epoch, 8);
  memcpy(datagram + CLAIM_AT_SEQUENCE, &sequence, 8);
  memcpy(datagram + CLAIM_AT_REALTIME_NS, &realtime_ns, 8);
  memcpy(datagram + CLAIM_AT_TOKEN, job->token, TOKEN_BYTES);
  for (unsigned i = 0; times_us && i < STEPS; i++) {
    uint32_t us = times_us[i] > UINT32_MAX ? UINT32_MAX : (uint32_t)times_us[i];
    memcpy(datagram + CLAIM_AT_TIMES_US + 4 * i, &us, 4);
  }
  sendto(fd, datagram, sizeof datagram, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}
