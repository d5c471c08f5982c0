// Tags of pages: what tells A whether B has a page already. Two passes of NH, each over the whole page with sums of 128
// bits, the second with the key shifted by one pair of words (Toeplitz): Black, Halevi, Krawczyk, Krovetz, Rogaway,
// "UMAC: Fast and Secure Message Authentication", CRYPTO '99, theorems 1 and 2; RFC 4418 uses it with 32-bit words. For
// two different pages of one length, chosen without the key, the tags are equal with a probability of 2^-128 at most.
// The key is drawn for each move, and its pages are not sent (see precopy.c): nobody but this process ever knows it.
#include "frozen.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

enum { WORDS = PAGE / 8, KEY_BYTES = (WORDS + 2) * 8 };
static uint64_t *key;

struct bytes tag_key(void) {
  if (!key) {
    uint8_t *fresh = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fresh == MAP_FAILED) return (struct bytes){ NULL, 0 };
    for (size_t got = 0; got < 2 * PAGE;) { // both pages to the end: what is in them is then nowhere else
      ssize_t n = getrandom(fresh + got, 2 * PAGE - got, 0);
      if (n < 0) return (struct bytes){ NULL, 0 };
      got += (size_t)n;
    }
    _Static_assert(KEY_BYTES <= 2 * PAGE, "the key fits");
    key = (uint64_t *)fresh;
  }
  return (struct bytes){ (uint8_t *)key, 2 * PAGE };
}

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
