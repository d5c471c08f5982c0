// Pages that are known by their tags: tags by hash, open addressing. Which tags there are may be up to the other computer:
// where one lies depends on numbers that nobody else knows, so that no choice of tags makes looking one up slow.
#include "frozen.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

bool known_open(struct known *known, uint32_t most) {
  *known = (struct known){ .most = most, .mask = 1023 };
  while (known->mask / 2 < most) known->mask = known->mask * 2 + 1;
  known->tags = room((size_t)most * sizeof(struct tag));
  known->numbers = room((known->mask + 1ul) * 4);
  if (!known->tags || !known->numbers || getrandom(known->mix, sizeof known->mix, 0) != sizeof known->mix) { known_close(known); return false; }
  for (unsigned i = 0; i < 4; i++) known->mix[i] |= 1;
  return true;
}

void known_close(struct known *known) {
  if (known->tags) munmap(known->tags, (size_t)known->most * sizeof(struct tag));
  if (known->numbers) munmap(known->numbers, (known->mask + 1ul) * 4);
  *known = (struct known){ 0 };
}

static bool none(const struct tag *tag) { return !(tag->word[0] | tag->word[1] | tag->word[2] | tag->word[3]); }

/// Multiply and shift, Dietzfelbinger and others, "A Reliable Randomized Algorithm for the Closest-Pair Problem", 1997.
static uint32_t place_of(const struct known *known, const struct tag *tag) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < 4; i++) sum += known->mix[i] * tag->word[i];
  return (uint32_t)(sum >> 32) & known->mask;
}

uint32_t known_number(const struct known *known, const struct tag *tag) {
  if (!known->numbers) return 0;
  for (uint32_t at = place_of(known, tag); known->numbers[at]; at = (at + 1) & known->mask)
    if (same_tag(&known->tags[known->numbers[at] - 1], tag)) return known->numbers[at];
  return 0;
}

static void enter(struct known *known, uint32_t number) {
  uint32_t at = place_of(known, &known->tags[number - 1]);
  while (known->numbers[at]) at = (at + 1) & known->mask;
  known->numbers[at] = number;
  known->entries++;
}

void known_set(struct known *known, uint32_t number, const struct tag *tag) {
  known->tags[number - 1] = *tag;
  if (none(tag)) return;
  if (known->entries < known->mask / 4 * 3) { enter(known, number); return; }
  // Entries of tags that were replaced lead to others, which is never taken for a find; now there are too many of them.
  memset(known->numbers, 0, (known->mask + 1ul) * 4);
  known->entries = 0;
  for (uint32_t each = 1; each <= known->count; each++) if (!none(&known->tags[each - 1])) enter(known, each);
}

bool same_tag(const struct tag *a, const struct tag *b) { return !memcmp(a, b, sizeof *a); }
