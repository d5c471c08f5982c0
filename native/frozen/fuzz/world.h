// A kernel in memory beneath the frozen helper, for the fuzzers: its clock stands still except when the helper waits, and
// what it hears is a script. Nothing gets through to the real kernel but memory.
#pragma once
#include "../frozen.h"

// Channels of a script. STREAM, AGENT and CLAIMS bring bytes; NETLINK what the kernel answers; HANG_UP and RESET end the
// connection of the stream; SUBJECT is what the fuzzer is about (a plan), not something heard.
enum { STREAM, AGENT, CLAIMS, NETLINK, HANG_UP, RESET, SUBJECT, CHANNELS };
// How far the helper has come; a piece of a script is heard from its stage on.
enum { AT_START, AT_NAMED, AT_ROUND, AT_FROZEN, AT_IMAGE, AT_PAGES, AT_END, AT_GO, STAGES };

/// One piece: u8 channel, u8 stage (low half) and gap (high half), u16 length, bytes. With a gap a stream comes byte by
/// byte, a datagram later, so many times GAP_US apart; a datagram with the gap FLOOD comes again and again, for longer than
/// any job lasts that it can not hold up.
struct piece { uint8_t channel, stage; uint32_t gap_us; const uint8_t *at; uint32_t length; };
enum { GAP_US = 4000, FLOOD = 15, FLOOD_US = 2000, FLOOD_LASTS_US = 12000000, PATIENCE_US = 20000000, MOST_PIECES = 4096, MOST_PAGES = 2048 };

/// A claim datagram with nothing but these bytes in place of its MAC is signed before it is heard.
enum { TO_BE_SIGNED = 0x99 };

struct world {
  const struct job *job;
  unsigned stage;
  uint64_t now_us, frozen_at, longest_frozen_us, cancelled_at, last_heard_at;
  uint64_t patience_us;                   // when nothing has come for so long, nothing more is waited for
  int frozen;                             // freezes that were not undone
  bool thawed, restored, go_sent;
  bool claimed, granted, refused;         // heard: ours, and well-formed; `claimed` is the last datagram, after GO
  bool answerable;                        // the last datagram is a claim of a move that is known
  uint8_t asked[16];                      // its epoch and sequence
  uint64_t asked_at, longest_unasked_us;  // claims of the copy
  unsigned grants_sent, failed_sent;
  bool reported;
  uint64_t outcome;
  unsigned left, back;                    // plans that were run
  uint32_t page_count;                    // of the image that was written
  uint8_t pages[MOST_PAGES][PAGE];
};
extern struct world world;

void world_begin(const struct job *job, const uint8_t *script, uint32_t length);
/// The piece of the channel SUBJECT, copied to memory of exactly its size.
struct bytes world_subject(void);
/// Called when nothing can happen any more: the helper waits for ever, resets its computer, or ends.
_Noreturn void world_over(const char *how);
/// The copy asks, or would have to by now.
void world_asked(void);
/// A promise was broken: says so and ends the process.
_Noreturn void broken(const char *what);
/// What the kernel does with an image before it takes it, kernel/power/snapshot.c.
void check_image(void);

enum { FD_STREAM = 1000, FD_AGENT, FD_LISTENER, FD_SNAPSHOT, FD_CLAIMS, FD_KCORE, FD_FLAGS, FD_NETLINK, FD_PACKET, FD_FILE, FD_RESET, FD_END };
