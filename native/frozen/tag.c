// Tags of pages: what tells A whether B has a page already. Two passes of NH, each over the whole page with sums of 128
// bits, the second with the key shifted by one pair of words (Toeplitz): Black, Halevi, Krawczyk, Krovetz, Rogaway,
// "UMAC: Fast and Secure Message Authentication", CRYPTO '99, theorems 1 and 2; RFC 4418 uses it with 32-bit words. For
// two different pages of one length, chosen without the key, the tags are equal with a probability of 2^-128 at most.
// The key is of one move, and its pages are not sent (see precopy.c). B knows it when it looks for pages of A in its own
// memory, and then B has chosen it: A must not choose what it does not know together with a key under which that is found.
#include "frozen.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { WORDS = PAGE / 8, KEY_BYTES = (WORDS + 2) * 8 };
static uint64_t *key;

/// Both pages to the end: what is in them is then nowhere else.
static bool draw(uint8_t *fresh) {
  for (size_t got = 0; got < 2 * PAGE;) {
    ssize_t n = getrandom(fresh + got, 2 * PAGE - got, 0);
    if (n < 0) return false;
    got += (size_t)n;
  }
  return true;
}

static void unfold(struct bytes seed, uint8_t *fresh) {
  for (uint32_t i = 0; i < 2 * PAGE / MAC_BYTES; i++) hmac_sha256(seed.at, (uint8_t *)&i, sizeof i, fresh + i * MAC_BYTES);
}

bool tag_begin(const struct job *job) {
  _Static_assert(KEY_BYTES <= 2 * PAGE, "the key fits");
  _Static_assert(TAG_SEED_BYTES == CLAIM_KEY_BYTES, "a key of HMAC");
  uint8_t *fresh = key ? (uint8_t *)key : mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (fresh == MAP_FAILED) return false;
  if (job->tag_seed.length) unfold(job->tag_seed, fresh);
  else if (!draw(fresh)) return false;
  key = (uint64_t *)fresh;
  return true;
}

struct bytes tag_key(void) { return (struct bytes){ (uint8_t *)key, 2 * PAGE }; }

struct tag tag_of(const uint8_t *page) {
  typedef unsigned __int128 wide;
  const uint64_t *m = (const uint64_t *)page;
  wide first = 0, second = 0;
  for (unsigned i = 0; i < WORDS; i += 2) {
    first += (wide)(m[i] + key[i]) * (m[i + 1] + key[i + 1]);
    second += (wide)(m[i] + key[i + 2]) * (m[i + 1] + key[i + 3]);
  }
  return (struct tag){ { (uint64_t)first, (uint64_t)(first >> 64), (uint64_t)second, (uint64_t)(second >> 64) } };
}
