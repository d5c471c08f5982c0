// Runs the helper's parsers on inputs from stdin, many in one process, under ASan and UBSan. A record is a letter, a
// u32 length and bytes; each is copied to memory of exactly its size, so that one byte too far is seen. One line of
// answer a record. It includes target.c to reach its state; nothing here opens /dev/snapshot.
#include "../target.c"
#include <stdlib.h>
#include <sys/mman.h>

static void forget(void) {
  memset(&report, 0, sizeof report);
  report.operation = -1;
}

static void try_job(const uint8_t *data, uint32_t length) {
  static struct job parsed;
  uint8_t *copy = malloc(length + 1u); // main.c: a NUL stands behind the last field
  memcpy(copy, data, length);
  copy[length] = 0;
  bool ok = parse_job(copy, length, &parsed);
  if (ok) {
    volatile size_t sum = strlen(parsed.copy_interface);
    for (const char *at = (const char *)parsed.ghost_argv.at; at < (const char *)parsed.ghost_argv.at + parsed.ghost_argv.length; at += strlen(at) + 1) sum++;
    sum += (size_t)fault_times(&parsed, 0); // looks at all that is armed; a crash or a reset would be ours
  }
  printf("%d %ld\n", ok, ok ? (long)parsed.faults.length / 8 : -1);
  free(copy);
}

static void try_plan(const uint8_t *data, uint32_t length, bool run) {
  uint8_t *copy = malloc(length ? length : 1);
  memcpy(copy, data, length);
  struct bytes plan = { copy, length };
  forget();
  bool ok = plan_valid(plan);
  int result = ok && run ? plan_run(plan, REASON_LEAVE) : 0;
  printf("%d %d %u %d\n", ok, result, report.error, report.operation);
  free(copy);
}

static void try_claim(const uint8_t *data, uint32_t length) {
  int pair[2];
  uint8_t datagram[CLAIM_BYTES];
  struct sockaddr_in from;
  if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0 || send(pair[0], data, length, 0) < 0) abort();
  printf("%d\n", claim_receive(pair[1], datagram, &from));
  close(pair[0]);
  close(pair[1]);
}

/// The MAC of what comes behind a key, byte by byte.
static void try_hmac(const uint8_t *data, uint32_t length) {
  uint8_t mac[MAC_BYTES];
  if (length < CLAIM_KEY_BYTES) abort();
  hmac_sha256(data, data + CLAIM_KEY_BYTES, length - CLAIM_KEY_BYTES, mac);
  for (unsigned i = 0; i < MAC_BYTES; i++) printf("%u ", mac[i]);
  printf("%u\n", length);
}

/// A claim and the job of A that hears it: of which move it is.
static void try_whose(const uint8_t *data, uint32_t length) {
  static struct job parsed;
  uint8_t datagram[CLAIM_BYTES] = { 0 };
  if (length < CLAIM_BYTES || !parse_job(data + CLAIM_BYTES, length - CLAIM_BYTES, &parsed)) abort();
  memcpy(datagram, data, CLAIM_BYTES);
  printf("%d\n", claim_whose(&parsed, datagram));
}

/// A whole stream of frames after BEGIN, up to the first event; of what the kernel was given, its length and the number of
/// pages that its header announces.
static void try_stream(const uint8_t *data, uint32_t length) {
  static struct job small = { .stall_ms = 1000, .ready_ms = 1, .claim_ms = 1, .repeat_ms = 1, .epoch = 7 };
  static const uint64_t ranges[] = { 0x10, 0x20, 0x100, 0x200 };
  int pair[2], event = WAIT, size = 4 << 20;
  small.ram_ranges = (struct bytes){ (const uint8_t *)ranges, sizeof ranges };
  small.physical_pages = 0x1122334455667788u;
  small.e820_checksum = 0xdeadbeef;
  memset(small.token, 0x5a, TOKEN_BYTES);
  job = &small;
  mailbox_signature(small.token, signature);
  index_in_stream = pages = meta_end = signatures = 0;
  lists_forget();
  park_forget();
  recall_forget();
  small.park_pages = 8;
  if (!park_open(small.park_pages)) abort();
  forget();
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) abort();
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  setsockopt(pair[1], SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (send(pair[0], data, length, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)length && length) abort();
  shutdown(pair[0], SHUT_WR);
  stream = pair[1];
  snapshot = memfd_create("image", 0);
  while (event == WAIT) event = source_says(true);
  off_t written = lseek(snapshot, 0, SEEK_END);
  uint64_t announced = 0;
  if (pread(snapshot, &announced, sizeof announced, IMAGE_AT_PAGES) < 0) abort();
  printf("%d %u %llu %llu\n", event, report.reason, (unsigned long long)written, (unsigned long long)announced);
  close(snapshot);
  close(pair[0]);
  close(pair[1]);
}

/// A key and a page: the tag as eight halves of words, the lowest first.
static void try_tag(const uint8_t *data, uint32_t length) {
  static uint8_t page[PAGE] __attribute__((aligned(8)));
  static const struct job none;
  if (!tag_begin(&none)) abort();
  struct bytes key = tag_key();
  if (length > key.length + PAGE || length < PAGE) abort();
  memcpy((uint8_t *)key.at, data, length - PAGE);
  memcpy(page, data + length - PAGE, PAGE);
  struct tag tag = tag_of(page);
  for (unsigned i = 0; i < 4; i++) printf("%u %u ", (uint32_t)tag.word[i], (uint32_t)(tag.word[i] >> 32));
  printf("%d\n", page_is_zero(page));
}

int main(void) {
  uint8_t head[5];
  uint32_t length;
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  plan_open();
  while (fread(head, 1, sizeof head, stdin) == sizeof head) {
    memcpy(&length, head + 1, 4);
    uint8_t *data = malloc(length ? length : 1);
    if (!data || fread(data, 1, length, stdin) != length) return 2;
    switch (head[0]) {
      case 'J': try_job(data, length); break;
      case 'P': try_plan(data, length, false); break;
      case 'R': try_plan(data, length, true); break;
      case 'C': try_claim(data, length); break;
      case 'T': try_stream(data, length); break;
      case 'H': try_hmac(data, length); break;
      case 'W': try_whose(data, length); break;
      case 'G': try_tag(data, length); break;
      default: return 2;
    }
    free(data);
  }
  return fflush(stdout) ? 2 : 0;
}
