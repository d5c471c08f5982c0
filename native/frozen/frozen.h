// The frozen helper: what must run while the rest of user space stands still. It knows no policy: every decision is
// a row of the generated tables, every device action a prepared plan. It allocates nothing after the freeze.
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "wire.h"

#define PAGE 4096u

struct bytes { const uint8_t *at; uint32_t length; };

/// A parsed job. All pointers lead into the one static job buffer.
struct job {
  uint64_t epoch;
  uint32_t claim_address;                 // network order
  uint16_t claim_port;
  uint32_t copy_address;                  // network order
  char copy_interface[16];
  struct bytes ghost_argv, faults;
  uint32_t stall_ms, ready_ms, claim_ms, repeat_ms;
  struct bytes leave, serve, back, arrive, adopt, make_room;
  struct bytes ram_ranges, given_up;      // u64 pairs: first, end (exclusive)
  struct bytes memory;                    // u64 triples: offset in /proc/kcore, first, end (exclusive)
  struct bytes tag_seed;                  // none: B does not look for pages of A in its own memory
  uint32_t park_pages;                    // B holds so many for A before it takes in the image
  uint32_t e820_checksum;
  uint64_t physical_pages;
  uint8_t token[TOKEN_BYTES];
  uint8_t claim_key[CLAIM_KEY_BYTES];
  struct bytes past_claims;               // of moves that ended here: u64 epoch and key each
  struct bytes tls_out, tls_in;           // of B, for the stream: struct tls12_crypto_info_…; forgotten once it has begun
  bool plain;                             // the stream is in the clear: tests only
};

struct frame { uint8_t type; uint32_t length; uint64_t arg; };

/// What a helper reports at the end; sent as the payload of FRAME_RESULT in exactly this layout.
struct report {
  uint32_t reason, error;
  int32_t operation;                      // index in the plan that failed, or -1
  uint32_t reserved;
  uint64_t times_us[STEPS];
  uint64_t pages, zero_pages, wire_bytes;
  uint64_t referenced_pages;              // of the image, that B had already
  uint64_t pre_copy_bytes, rounds;        // on the wire before the freeze
  uint64_t recalled_pages;                // that B has found in its own memory
  char text[MAX_TEXT_BYTES];
};

extern struct report report;

// io.c
uint64_t now_us(void);
void put_frame(uint8_t *out, uint8_t type, uint32_t length, uint64_t arg);
/// Parses a header; false when magic, version or length is not acceptable.
bool get_frame(const uint8_t *in, struct frame *frame, uint32_t max_length);
/// Sends all bytes; a page (the rest, when it is less) must move in every `stall_ms`. 0, or -1 with errno (ETIMEDOUT when
/// stalled).
int send_all(int fd, const void *data, size_t length, uint32_t stall_ms);
int recv_all(int fd, void *data, size_t length, uint32_t stall_ms);
/// Why nothing came, after recv_all has failed with that errno.
uint32_t reason_of_silence(int error);
/// Pages lie here before they are sent; there is room in front for everything a frame begins with.
extern uint8_t *const out_pages;
/// Sends a frame of these bytes, these words, and the first `pages` pages at out_pages, packed when that pays. Its length on
/// the wire, or -1 with errno.
ssize_t send_pages(int fd, uint8_t type, uint64_t arg, struct bytes prologue, const uint32_t *words, uint32_t word_count, uint32_t pages, uint32_t stall_ms);
/// Zeroed memory of our own, taken when it is touched; NULL when there is none.
void *room(size_t length);
bool page_is_zero(const uint8_t *page);
int send_frame(int fd, uint8_t type, uint64_t arg, const void *payload, uint32_t length, uint32_t stall_ms);
/// Remembers why the job ends as it does; the first reason wins.
void because(uint32_t reason, int error, int operation, const char *text);
void send_report(int agent, uint32_t outcome);

// fault.c
/// Carries out what is armed at this step of the fault table; -1 with errno when the step is to fail.
int fault_at(const struct job *job, int point);
/// The same for a message: how many times it is to be sent, or heard; 0: it is lost.
int fault_times(const struct job *job, int point);

// guard.c
/// From here on our death alone does not thaw the OS: a child holds `snapshot` as well, and calls `bereft` when we die.
void guard_open(int snapshot, void (*bereft)(void));
/// Ends the child: whoever is exempt from freezing must be gone before the thaw.
void guard_close(void);

// pack.c
/// What is to be sent in place of a frame: it, or a smaller one that holds it. `length` with the header.
const uint8_t *pack_frame(int fd, const uint8_t *frame, uint32_t *length);
/// No more measuring, and nothing taken, from here on; clears what need not be in the image.
void pack_settle(void);
/// Unpacks a frame, which becomes the one that was packed; `out` has room for MAX_PAYLOAD_BYTES. NULL, or what is wrong.
const char *pack_open(const uint8_t *packed, struct frame *frame, uint8_t *out);

// job.c
bool parse_job(const uint8_t *data, uint32_t length, struct job *job);

// plan.c
void plan_open(void);
/// Checks the layout of a plan without running anything.
bool plan_valid(struct bytes plan);
/// Runs a plan up to the first operation that fails. 0, or -1 after `because(reason, …)` with that operation.
int plan_run(struct bytes plan, uint32_t reason);
/// The same, but goes on behind what fails: for plans behind which there is no way back.
int plan_run_all(struct bytes plan, uint32_t reason);

// source.c, copy.c, target.c
int run_source(const struct job *job, int agent, int stream);
_Noreturn void run_copy(const struct job *job, int agent, int snapshot);
int run_target(const struct job *job, int agent, int listener);

/// What the target says just now, as an event of the source; -1 when it says nothing.
int source_hears(void);
/// The event that follows when nothing could be sent, errno says why.
int source_cannot_send(void);

// memory.c
struct range { uint64_t offset, first, end; }; // frames that follow each other: where in /proc/kcore, which
unsigned memory_pieces(const struct job *job);
struct range memory_piece(const struct job *job, unsigned i);
/// Frames `first` to `first + count` of the piece; false with errno when not all of it could be read.
bool memory_read(int kcore, const struct range *piece, uint64_t first, uint32_t count, uint8_t *out);

// tag.c
struct tag { uint64_t word[4]; };
/// Makes the key: from the seed of the job, which B has too, or of random bytes that nobody else ever has. False: there is
/// no memory for it.
bool tag_begin(const struct job *job);
/// The key's pages.
struct bytes tag_key(void);
struct tag tag_of(const uint8_t *page);

// known.c
/// Numbers count from 1; `tags` lie in their order. Tags of zeros are no tags: a number can be taken and be without.
struct known { struct tag *tags; uint32_t count, most, *numbers, mask, entries; uint64_t mix[4]; };
/// Room for so many, which costs nothing until they come.
bool known_open(struct known *known, uint32_t most);
void known_close(struct known *known);
/// Of the page with that tag; 0 when it is not known.
uint32_t known_number(const struct known *known, const struct tag *tag);
/// From now on this number, which is not more than `count`, is that of the page with this tag.
void known_set(struct known *known, uint32_t number, const struct tag *tag);
bool same_tag(const struct tag *a, const struct tag *b);

// precopy.c
/// Copies rounds ahead until the agent says that it is enough; an event of the source.
int pre_copy(const struct job *job, int agent, int stream);
enum { PAGE_NEW, PAGE_PARKED, PAGE_OURS }; // B must be sent it; has it in `slot`; never needs it
int page_at_target(const uint8_t *page, uint32_t *slot);
/// What B says of the pages it was asked for; false when that cannot be.
bool pre_copy_had(const struct frame *frame, const uint8_t *payload);

// recall.c
/// NULL, or what is wrong with a frame of tags.
const char *recall_take(const struct job *job, const struct frame *frame, const uint8_t *payload);
/// True once, when A has told all its tags: it waits for an answer.
bool recall_asked(void);
/// Looks for those pages in the memory of this computer, and keeps what it finds; `chunk` has room for PAGES_PER_FRAME of
/// them. Answers A. An event of the target, -1 when the work may go on.
int recall_answer(const struct job *job, int agent, int stream, uint8_t *chunk);
void recall_forget(void);

// park.c
/// Takes room for so many pages, which costs nothing until they come.
bool park_open(uint32_t pages);
/// From now on a page that is kept takes the memory of one page, not of the many around it.
void park_thinly(void);
/// NULL, or what is wrong with the payload of FRAME_PARK.
const char *park_take(const uint8_t *payload, uint32_t length);
/// Keeps a page in a slot that there is.
void park_put(uint32_t slot, const uint8_t *page);
/// A page that was filled, or NULL.
const uint8_t *park_page(uint32_t slot);
uint32_t park_filled(void);
uint32_t park_slots(void);
void park_forget(void);

// lists.c
/// The header of an image: how many pages come before its data, and in all. False after because().
bool lists_open(const struct job *job, const uint8_t *header, uint64_t *head, uint64_t *all);
/// A page of its lists of page frames; all of them are RAM of this computer. False after because().
bool lists_take(const struct job *job, const uint8_t *page);
/// Header (0) and lists, one after the other, once they are whole, as B's kernel is to have them: without marks for pages
/// that are left out, and without frames that are given up.
const uint8_t *lists_page(uint64_t index);
/// Passes over the next frame when its page, all zeros, is left out of the stream and B's kernel is to have it.
bool lists_pass_empty(void);
/// Passes over the next frame, whose page is in the stream; false when B's kernel is not to have it.
bool lists_pass(void);
/// At A: marks those frames in a page of the lists that the OS has given up.
void lists_give_up(const struct job *job, uint8_t *page);
void lists_forget(void);

// clock.c
/// Begins to measure the processor's counter against the clock, on the one processor that makes the image.
void clock_begin(void);
void clock_before_image(void);
/// Sets the wall clock on by what the kernel has lost; that time in microseconds, 0 when it cannot be told.
uint64_t clock_after_image(void);

// sha256.c
/// The key has CLAIM_KEY_BYTES, the MAC MAC_BYTES.
void hmac_sha256(const uint8_t *key, const uint8_t *data, size_t length, uint8_t *mac);

// claim.c
int claim_listen(uint32_t address, uint16_t port);
/// Reads one datagram of CLAIM_BYTES; true when it is well-formed, whoever's it is.
bool claim_receive(int fd, uint8_t *datagram, struct sockaddr_in *from);
uint16_t claim_kind(const uint8_t *datagram);
enum whose { CLAIM_OF_NOBODY, CLAIM_OF_THIS, CLAIM_OF_PAST };
/// Of which move it is; of nobody's when the MAC is not right.
enum whose claim_whose(const struct job *job, const uint8_t *datagram);
void claim_make(uint8_t *datagram, const struct job *job, uint64_t sequence);
/// Turns a claim into its answer and sends it.
void claim_answer(const struct job *job, int fd, uint8_t *datagram, uint16_t kind, const uint64_t *times_us, const struct sockaddr_in *to);
void claim_send(int fd, const uint8_t *datagram, const struct sockaddr_in *to);

// Image header, kernel/power/power.h struct swsusp_info.
enum { IMAGE_AT_PHYSPAGES = 400, IMAGE_AT_IMAGE_PAGES = 416, IMAGE_AT_PAGES = 424 };

// The mailbox: one page found by its signature in the stream and overwritten by the target.
struct mailbox { uint8_t signature[TOKEN_BYTES]; uint32_t on_target; uint32_t reserved; uint8_t entropy[64]; };
void mailbox_signature(const uint8_t *token, uint8_t *signature);
/// The 64 random bytes B has put into the mailbox of the copy.
const uint8_t *mailbox_entropy(void);

// /dev/snapshot, include/uapi/linux/suspend_ioctls.h
#define SNAPSHOT_FREEZE 0x3301
#define SNAPSHOT_UNFREEZE 0x3302
#define SNAPSHOT_ATOMIC_RESTORE 0x3304
#define SNAPSHOT_FREE 0x3305
#define SNAPSHOT_GET_IMAGE_SIZE 0x8008330e
#define SNAPSHOT_CREATE_IMAGE 0x40043311
