// B's parked pages: slots of one mapping that A fills while its OS still runs, and names later instead of sending a page
// again; recall.c fills some from what B has. B knows nothing of them but whether they were filled. Every number comes
// from A and is checked.
#include "frozen.h"
#include <string.h>
#include <sys/mman.h>

static uint8_t *slots, *filled;           // `filled`: one bit a slot
static uint32_t slot_count, filled_count;

bool park_open(uint32_t pages) {
  if (!pages) return true;
  if (mlockall(MCL_FUTURE | MCL_ONFAULT) < 0) return false; // memory is taken when a slot is filled, not before
  slots = room((size_t)pages * PAGE);
  filled = room(pages / 8u + 1u);
  if (!slots || !filled) return false;
  slot_count = pages;
  return true;
}

void park_thinly(void) { if (slots) madvise(slots, (size_t)slot_count * PAGE, MADV_NOHUGEPAGE); }

const char *park_take(const uint8_t *payload, uint32_t length) {
  uint32_t count, slot;
  if (length < PARK_PROLOGUE_BYTES) return "a park frame is malformed";
  memcpy(&count, payload, 4);
  if (count > PAGES_PER_FRAME || length != PARK_PROLOGUE_BYTES + count * (4 + PAGE)) return "a park frame has the wrong length";
  const uint8_t *numbers = payload + PARK_PROLOGUE_BYTES, *data = numbers + 4 * count;
  for (uint32_t i = 0; i < count; i++) {
    memcpy(&slot, numbers + 4 * i, 4);
    if (slot >= slot_count) return "a slot that was not promised";
  }
  for (uint32_t i = 0; i < count; i++, data += PAGE) {
    memcpy(&slot, numbers + 4 * i, 4);
    park_put(slot, data);
  }
  return NULL;
}

void park_put(uint32_t slot, const uint8_t *page) {
  memcpy(slots + (size_t)slot * PAGE, page, PAGE);
  filled_count += !(filled[slot / 8] >> (slot % 8) & 1u);
  filled[slot / 8] |= (uint8_t)(1u << (slot % 8));
}

const uint8_t *park_page(uint32_t slot) {
  if (slot >= slot_count || !(filled[slot / 8] >> (slot % 8) & 1u)) return NULL;
  return slots + (size_t)slot * PAGE;
}

uint32_t park_filled(void) { return filled_count; }

uint32_t park_slots(void) { return slot_count; }

void park_forget(void) {
  if (slots) munmap(slots, (size_t)slot_count * PAGE);
  if (filled) munmap(filled, slot_count / 8u + 1u);
  slots = filled = NULL;
  slot_count = filled_count = 0;
}
