// Physical memory as /proc/kcore shows it, in the pieces that the agent has found there.
#include "frozen.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

unsigned memory_pieces(const struct job *job) { return job->memory.length / sizeof(struct range); }

struct range memory_piece(const struct job *job, unsigned i) {
  struct range piece;
  memcpy(&piece, job->memory.at + i * sizeof piece, sizeof piece);
  return piece;
}

bool memory_read(int kcore, const struct range *piece, uint64_t first, uint32_t count, uint8_t *out) {
  ssize_t n = pread(kcore, out, (size_t)count * PAGE, (off_t)(piece->offset + (first - piece->first) * PAGE));
  if (n == (ssize_t)((size_t)count * PAGE)) return true;
  if (n >= 0) errno = EIO;
  return false;
}
