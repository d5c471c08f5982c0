// Frames of pages made smaller where that brings them to B sooner: LZ4, a frame at a time. Whether it does is measured once,
// in the first round: only when B or the way to it is what is waited for, and only when packing takes less time than it
// saves. Until then, and where it does not pay, frames go as they are. What is found holds for the image too.
#include "frozen.h"
#include <linux/sockios.h>
#include <lz4.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef PACK_ALWAYS                           // tests do not wait for a slow network
enum { LOOK_BYTES = 16 << 20, TRY_BYTES = 4 << 20, QUEUE_BYTES = 1 << 20 };
#else
enum { LOOK_BYTES = 1 << 18, TRY_BYTES = 1 << 30, QUEUE_BYTES = -1 };
#endif
static enum { LOOKING, TRYING, PAYS, DOES_NOT } state;
static uint64_t began, plain_bytes, way_us;   // how long the way takes for the plain bytes
static uint64_t tried_bytes, packed_bytes, pack_us;
static uint8_t *buffer;                       // a frame that is packed
static const uint32_t buffer_bytes = FRAME_HEADER_BYTES + PACKED_PROLOGUE_BYTES + LZ4_COMPRESSBOUND(MAX_PAYLOAD_BYTES);

/// The plain beginning is over: does anything wait for the way to B?
static void look(int fd) {
  int queued = 0;
  way_us = now_us() - began;
  bool waits = ioctl(fd, SIOCOUTQ, &queued) == 0 && queued > QUEUE_BYTES;
  plain_bytes -= waits ? (uint64_t)queued : 0;
  buffer = waits ? room(buffer_bytes) : NULL;
  state = buffer ? TRYING : DOES_NOT;
}

/// A byte costs its packing and what is left of it on the way, or the whole way.
static void judge(void) {
  double pack = (double)pack_us / (double)tried_bytes, left = (double)packed_bytes / (double)tried_bytes, way = (double)way_us / (double)plain_bytes;
  state = pack + left * way < way ? PAYS : DOES_NOT;
}

/// The frame at `frame`, packed; 0 when it does not get smaller.
static uint32_t pack(const uint8_t *frame, uint32_t length) {
  uint32_t words[2] = { frame[3], length };
  uint8_t *payload = buffer + FRAME_HEADER_BYTES;
  struct frame head;
  if (!get_frame(frame, &head, length)) return 0;
  int packed = LZ4_compress_default((const char *)frame + FRAME_HEADER_BYTES, (char *)payload + sizeof words, (int)length, LZ4_COMPRESSBOUND(MAX_PAYLOAD_BYTES));
  _Static_assert(sizeof words == PACKED_PROLOGUE_BYTES, "prologue");
  if (packed <= 0 || (uint32_t)packed + sizeof words >= length) return 0;
  memcpy(payload, words, sizeof words);
  put_frame(buffer, FRAME_PACKED, (uint32_t)(sizeof words) + (uint32_t)packed, head.arg);
  return FRAME_HEADER_BYTES + (uint32_t)sizeof words + (uint32_t)packed;
}

const uint8_t *pack_frame(int fd, const uint8_t *frame, uint32_t *length) {
  if (!began) began = now_us();
  if (state == LOOKING && plain_bytes >= LOOK_BYTES) look(fd);
  if (state == TRYING && tried_bytes >= TRY_BYTES) judge();
  if (state == LOOKING) plain_bytes += *length;
  if (state != TRYING && state != PAYS) return frame;
  uint64_t at = now_us();
  uint32_t packed = pack(frame, *length - FRAME_HEADER_BYTES);
  pack_us += now_us() - at;
  tried_bytes += *length;
  packed_bytes += packed ? packed : *length;
  if (!packed) return frame;
  *length = packed;
  return buffer;
}

void pack_settle(void) {
  if (state != PAYS) state = DOES_NOT;
  if (buffer) memset(buffer, 0, buffer_bytes);
}

const char *pack_open(const uint8_t *packed, struct frame *frame, uint8_t *out) {
  uint32_t words[2];
  if (frame->length < sizeof words) return "a packed frame is malformed";
  memcpy(words, packed, sizeof words);
  if ((words[0] != FRAME_PARK && words[0] != FRAME_PAGES) || words[1] > MAX_PAYLOAD_BYTES) return "a packed frame is malformed";
  int length = LZ4_decompress_safe((const char *)packed + sizeof words, (char *)out, (int)(frame->length - sizeof words), (int)words[1]);
  if (length < 0 || (uint32_t)length != words[1]) return "a packed frame does not hold what it says";
  frame->type = (uint8_t)words[0];
  frame->length = words[1];
  return NULL;
}
