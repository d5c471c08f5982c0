// The head of an image: its header and its lists of page frames, kept until they are whole. Kernels from 6.6 on leave pages
// of zeros out of the image and mark their frames instead (kernel/power/snapshot.c). B's kernel may be older: it is given
// an image without marks, which all kernels read. Every number comes from A and is checked.
#include "frozen.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define END_OF_LIST UINT64_MAX            // BM_END_OF_MAP
#define ZERO_MARK (1ull << 63)             // ENCODED_PFN_ZERO_FLAG
#define GIVEN_UP_MARK (1ull << 62)         // A's: the OS will never use this frame again, B needs no memory there
#define FRAME(number) ((number) & ~(ZERO_MARK | GIVEN_UP_MARK))
enum { AT_E820 = 32, FRAMES_PER_PAGE = PAGE / 8 }; // arch/x86/power/hibernate.c struct restore_data_record

static uint8_t header[PAGE] __attribute__((aligned(8)));
static uint64_t *frames;                   // as A's kernel has listed them, with its marks and A's
static uint64_t list_pages, taken_pages, data_pages, listed, unmarked, kept, handed;

static bool bad(uint32_t reason, int error, const char *text) { because(reason, error, -1, text); return false; }

bool lists_open(const struct job *job, const uint8_t *page, uint64_t *head, uint64_t *all) {
  uint64_t checksum = job->e820_checksum;
  lists_forget();
  memcpy(header, page, PAGE);
  memcpy(&data_pages, page + IMAGE_AT_IMAGE_PAGES, 8);
  memcpy(all, page + IMAGE_AT_PAGES, 8);
  list_pages = *all - data_pages - 1;
  if (*all > (1ull << 36) || data_pages == 0 || data_pages >= *all || list_pages == 0 || data_pages > list_pages * FRAMES_PER_PAGE)
    return bad(REASON_BAD_IMAGE, EINVAL, "the image header contradicts itself");
  if (!(frames = room(list_pages * PAGE))) return bad(REASON_NO_MEMORY, ENOMEM, strerror(ENOMEM));
  *head = 1 + list_pages;
  memcpy(header + AT_E820, &checksum, 8);            // plain guards of the kernel against what is done here on purpose;
  memcpy(header + IMAGE_AT_PHYSPAGES, &job->physical_pages, 8); // the real check is lists_take()
  return true;
}

/// One list of ranges in a process: A asks for what is given up, B for its RAM.
static bool within(struct bytes ranges, uint64_t pfn) {
  const uint8_t *at = ranges.at, *end = at + ranges.length;
  static uint64_t first, last;                       // the frames are ascending: the last range mostly fits again
  if (pfn >= first && pfn < last) return true;
  for (; at < end; at += 16) {
    memcpy(&first, at, 8);
    memcpy(&last, at + 8, 8);
    if (pfn >= first && pfn < last) return true;
  }
  return false;
}

void lists_give_up(const struct job *job, uint8_t *page) {
  for (unsigned i = 0; i < FRAMES_PER_PAGE && job->given_up.length; i++) {
    uint64_t number;
    memcpy(&number, page + 8 * i, 8);
    if (number == END_OF_LIST || !within(job->given_up, FRAME(number))) continue;
    number |= GIVEN_UP_MARK;
    memcpy(page + 8 * i, &number, 8);
  }
}

bool lists_take(const struct job *job, const uint8_t *page) {
  bool is_last = ++taken_pages == list_pages;
  bool fails = fault_at(job, FAULT_TARGET_FRAMES) < 0; // strikes once: at the first page frame
  for (unsigned i = 0; i < FRAMES_PER_PAGE; i++) {
    uint64_t number, pfn;
    memcpy(&number, page + 8 * i, 8);
    if (number == END_OF_LIST && is_last && i) break; // the kernel reads up to here, whatever the header says
    pfn = FRAME(number);
    unmarked += !(number & ZERO_MARK);
    if (unmarked > data_pages) return bad(REASON_BAD_IMAGE, EINVAL, "the list of page frames is longer than announced");
    if (listed && pfn <= FRAME(frames[listed - 1])) return bad(REASON_BAD_IMAGE, EINVAL, "page frames are not ascending");
    if (fails || !(number & GIVEN_UP_MARK || within(job->ram_ranges, pfn))) {
      char text[120];
      snprintf(text, sizeof text, "page frame 0x%llx is not RAM here", (unsigned long long)pfn);
      return bad(REASON_FRAME_OUTSIDE_RAM, EFAULT, text);
    }
    frames[listed++] = number;
    kept += !(number & GIVEN_UP_MARK);
  }
  return !is_last || unmarked == data_pages || bad(REASON_BAD_IMAGE, EINVAL, "the list of page frames is shorter than announced");
}

const uint8_t *lists_page(uint64_t index) {
  static uint64_t page[FRAMES_PER_PAGE], at;
  uint64_t counts[2] = { kept, 1 + list_pages + kept }, i = 0;
  if (index == 0) {
    memcpy(header + IMAGE_AT_IMAGE_PAGES, counts, sizeof counts);
    at = 0;
    return header;
  }
  for (; i < FRAMES_PER_PAGE && at < listed; at++) if (!(frames[at] & GIVEN_UP_MARK)) page[i++] = FRAME(frames[at]);
  for (; i < FRAMES_PER_PAGE; i++) page[i] = END_OF_LIST;
  return (const uint8_t *)page;
}

bool lists_pass_empty(void) {
  while (handed < listed && frames[handed] & ZERO_MARK && frames[handed] & GIVEN_UP_MARK) handed++;
  bool is_empty = handed < listed && frames[handed] & ZERO_MARK;
  handed += is_empty;
  return is_empty;
}

bool lists_pass(void) { return !(frames[handed++] & GIVEN_UP_MARK); }

void lists_forget(void) {
  if (frames) munmap(frames, list_pages * PAGE);
  frames = NULL;
  list_pages = taken_pages = data_pages = listed = unmarked = kept = handed = 0;
}
