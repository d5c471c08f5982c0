// SHA-256 (FIPS 180-4) and HMAC (RFC 2104) of short messages, for claims. Own code because nothing of the kernel's can be
// relied on here: its hash sockets are a module that the OS on either side may lack, and this must work in a frozen OS.
#include "frozen.h"
#include <string.h>

enum { BLOCK = 64 };
struct sha256 { uint32_t h[8]; uint64_t length; uint8_t block[BLOCK]; };

static const uint32_t k[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static void take_block(struct sha256 *s) {
  uint32_t w[64], v[8];
  for (unsigned i = 0; i < 16; i++) { memcpy(&w[i], s->block + 4 * i, 4); w[i] = __builtin_bswap32(w[i]); }
  for (unsigned i = 16; i < 64; i++)
    w[i] = w[i - 16] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] + (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
  memcpy(v, s->h, sizeof v);
  for (unsigned i = 0; i < 64; i++) {
    uint32_t a = v[0], b = v[1], c = v[2], e = v[4], f = v[5], g = v[6];
    uint32_t first = v[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    uint32_t second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += first;
    v[0] = first + second;
  }
  for (unsigned i = 0; i < 8; i++) s->h[i] += v[i];
}

static void take_bytes(struct sha256 *s, const uint8_t *at, size_t length) {
  for (size_t i = 0; i < length; i++) {
    s->block[s->length++ % BLOCK] = at[i];
    if (s->length % BLOCK == 0) take_block(s);
  }
}

static struct sha256 begun(void) {
  return (struct sha256){ .h = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
}

static void finish(struct sha256 *s, uint8_t *digest) {
  uint64_t bits = __builtin_bswap64(s->length * 8);
  take_bytes(s, (const uint8_t[]){ 0x80 }, 1);
  while (s->length % BLOCK != BLOCK - 8) take_bytes(s, (const uint8_t[]){ 0 }, 1);
  take_bytes(s, (const uint8_t *)&bits, 8);
  for (unsigned i = 0; i < 8; i++) { uint32_t word = __builtin_bswap32(s->h[i]); memcpy(digest + 4 * i, &word, 4); }
}

void hmac_sha256(const uint8_t *key, const uint8_t *data, size_t length, uint8_t *mac) {
  uint8_t inner[BLOCK], outer[BLOCK];
  for (unsigned i = 0; i < BLOCK; i++) {
    uint8_t byte = i < CLAIM_KEY_BYTES ? key[i] : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  struct sha256 s = begun();
  take_bytes(&s, inner, BLOCK);
  take_bytes(&s, data, length);
  finish(&s, mac);
  s = begun();
  take_bytes(&s, outer, BLOCK);
  take_bytes(&s, mac, MAC_BYTES);
  finish(&s, mac);
}
