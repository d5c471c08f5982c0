// The one table of binary messages: bulk frames between two frozen helpers, messages between the agent and its
// helper, plan operations, job fields and the claim datagram. The C header of the helper is generated from it.
// Little-endian throughout; 0 is never a valid number; lengths are capped before anything is allocated.

export const frameMagic = 0x4459; // "YD"
export const wireVersion = 3;
export const frameHeaderBytes = 16; // u16 magic, u8 version, u8 type, u32 payload length, u64 argument

/** Stream pages in one `pages` frame; also the number of bits in its bitmap. */
export const pagesPerFrame = 256;
export const pageBytes = 4096;
/** u32 count, u32 zero, bitmap of pages that carry data, bitmap of pages that are parked already. */
export const pagesPrologueBytes = 8 + (2 * pagesPerFrame) / 8;
export const preCopyBytes = 48;
export const parkPrologueBytes = 8; // u32 count, u32 zero
export const packedPrologueBytes = 8; // u32 type, u32 length
/** What a page is known by, see native/frozen/tag.c. */
export const tagBytes = 32;
/** From which both sides make the key of their tags; B draws it for each move. */
export const tagSeedBytes = 32;
/** Two pages, a little more than it takes for one. */
export const tagKeyBytes = 2 * pageBytes;
/** Of the bitmap in one `had` frame: short enough for whoever hears B. */
export const hadBytes = 384;
/** A `park` frame has a u32 for every page, a `pages` frame one instead of a page: the former is the longest. */
export const maxPayloadBytes = parkPrologueBytes + pagesPerFrame * (4 + pageBytes);
export const maxJobBytes = 1 << 20;
/** Slots a target can have. */
export const maxParkPages = 1 << 30;
export const maxTextBytes = 400;
export const tokenBytes = 32;
/** What a channel begins with: random, over the control channel, used once; see src/linux/channel-keys.ts. */
export const secretBytes = 32;
export const claimKeyBytes = 32;
/** What a client of a disk says first: that it can say it shows that it has the key. */
export const diskHelloText = 'YADODISK';
export const macBytes = 32; // HMAC-SHA256
export const pastClaimBytes = 8 + claimKeyBytes;
/** The longest struct tls12_crypto_info_… of include/uapi/linux/tls.h. */
export const maxTlsBytes = 56;

/** Frame types. `arg` says what the u64 of the header holds. */
export const frameTypes = {
  // source helper → target helper
  begin: { number: 1, arg: 'epoch', payload: 'token[32]' },
  pages: {
    number: 2,
    arg: 'index of the first stream page',
    payload: 'count, two bitmaps, u32 slots of the parked pages, data of the others',
  },
  end: { number: 3, arg: 'number of stream pages', payload: '' },
  go: { number: 4, arg: 'epoch', payload: '' },
  abort: { number: 5, arg: '', payload: 'text' },
  park: {
    number: 9,
    arg: 'round',
    payload: 'count, u32 slots, as many pages; a count of 0 says only that A is alive',
  },
  tags: {
    number: 10,
    arg: 'first slot',
    payload: `tags of ${tagBytes} bytes, for this slot and those behind it; none: there are no more`,
  },
  packed: {
    number: 12,
    arg: 'as in the frame that is packed',
    payload:
      'u32 type of that frame (`park` or `pages`), u32 length of its payload, the payload as one LZ4 block',
  },
  // target helper → source helper
  ready: { number: 6, arg: 'microseconds spent writing pages', payload: '' },
  failed: { number: 7, arg: 'reason', payload: 'text' },
  cancel: { number: 8, arg: '', payload: '' },
  had: {
    number: 11,
    arg: 'first slot',
    payload: `bitmap, ${hadBytes} bytes but for the last one: slots whose page B has; empty: it is still looking`,
  },
  // agent → helper
  jobSource: { number: 20, arg: '', payload: 'job fields' },
  jobTarget: { number: 21, arg: '', payload: 'job fields' },
  release: { number: 22, arg: '', payload: '' },
  again: { number: 23, arg: '', payload: '' }, // one more round
  freeze: { number: 24, arg: '', payload: '' }, // the rounds are over
  // ghost → helper
  marked: { number: 25, arg: '', payload: '' }, // what the OS leaves says so: a claim may be granted
  unmarked: { number: 26, arg: '', payload: 'text' },
  // helper → agent (also to the ghost)
  progress: {
    number: 30,
    arg: 'bytes on the wire so far',
    payload: 'u64 pages done, u64 pages in all, u64 pages parked',
  },
  result: { number: 31, arg: 'outcome', payload: 'struct report, src/wire/report.ts' },
  granted: { number: 32, arg: 'epoch', payload: 'the claim key of the move' },
  mark: { number: 34, arg: 'epoch', payload: 'the claim key of the move' },
  preCopy: { number: 33, arg: 'bytes on the wire so far', payload: 'a round, src/wire/pre-copy.ts' },
} as const;

/** Operations of a plan: what the helper does while nobody else runs. */
export const planOps = {
  writeFile: { number: 1, payload: 'path NUL data' },
  ioctl: { number: 2, payload: 'u64 request, path NUL, buffer (in and out)' },
  netlink: { number: 3, payload: 'u32 protocol, one message (the helper sets seq and NLM_F_ACK)' },
  waitPath: { number: 4, payload: 'u32 milliseconds, path NUL' },
  sendPacket: { number: 5, payload: 'u32 interface index (0: the card found last), Ethernet frame' },
  findCard: {
    number: 6,
    payload: "u32 milliseconds, PCI address between slashes NUL: waits for that function's interface",
  },
  netlinkCard: {
    number: 7,
    payload: 'u32 offset of the interface index in the message, one message about the card found last',
  },
  waitText: { number: 8, payload: 'u32 milliseconds, path NUL, text: waits until the file begins with it' },
  reclaim: { number: 9, payload: 'u64 bytes that may stay in use, path NUL' },
} as const;
/** Flag of an operation: go on when it fails. */
export const planFlagMayFail = 1;

/** Fields of a job: u16 tag, u16 zero, u32 length, bytes. */
export const jobFields = {
  epoch: 1,
  claimAddress: 2, // A's machine address, IPv4, network order: there the copy claims, and from there the stream comes
  claimPort: 3, // u32
  copyInterface: 4, // name of the interface the copy claims through
  copyAddress: 5, // B's machine address, IPv4, network order
  ghostArgv: 6, // NUL separated
  timeoutsMs: 7, // u32 × 4: stall, ready, claim, claim repeat
  faults: 8, // u16 point, u16 kind, u32 N each, src/core/faults.ts
  planLeave: 10,
  planServe: 11,
  planReturn: 12,
  planArrive: 14,
  planAdopt: 15,
  planMakeRoom: 16, // on the target, right before it restores
  ramRanges: 20, // u64 pairs: first page frame, last + 1
  givenUp: 17, // of A, u64 pairs: page frames that the OS will never use again, and that B does without
  e820Checksum: 21, // u32
  physicalPages: 22, // u64
  token: 23,
  memory: 24, // u64 × 3 for each range of RAM: offset in /proc/kcore, first page frame, last + 1; none at A: no pre-copy
  parkPages: 25, // u32, pages that B holds for A before it takes in the image
  claimKey: 26, // of A: what claims of this move are signed with
  pastClaims: 27, // of A, u64 epoch and claim key for each move that has ended here: their copies are refused
  tlsOut: 28, // of B: struct tls12_crypto_info_… for what it sends on the stream
  tlsIn: 29, // of B: the same for what it receives
  tagSeed: 40, // of both: what the key of the tags is made from; none: B does not look for pages of A in its memory
  plain: 30, // no bytes: the stream goes in the clear, for tests only; without it a stream that is not encrypted is refused
} as const;

/** What a helper says at the end of a job. */
export const outcomes = { returned: 1, arrived: 2, discarded: 3, badJob: 4 } as const;

/** Why a job ended as it did; the agent turns it into a sentence. */
export const reasons = {
  none: 0,
  freeze: 1,
  leave: 2,
  image: 3,
  serve: 4,
  linkLost: 5,
  stalled: 6,
  cancelled: 7,
  refusedByTarget: 8,
  claimTimeout: 9,
  protocol: 10,
  frameOutsideRam: 11,
  noMemory: 12,
  badImage: 13,
  restore: 14,
  aborted: 15,
  openSnapshot: 17,
  readyTimeout: 18,
  arrive: 19,
  ghost: 20,
  adopt: 21,
  mark: 23, // the ghost cannot write on the disk that the OS leaves
  tampered: 22, // what came was not encrypted with the key of the channel, or was changed on the way
} as const;

/** Steps the helper times, in the order of a migration. Microseconds of CLOCK_MONOTONIC. */
export const timedSteps = [
  'freeze',
  'leave',
  'image',
  'serve',
  'send',
  'write', // on the target, beside the stream: pages into the kernel
  'ready',
  'restore',
  'mark', // beside it: how long a claim waited for the ghost's mark on the disk
  'return',
  'arrive',
  'claim',
  'adopt',
  'thaw',
] as const;
export type TimedStep = (typeof timedSteps)[number];

/** The claim datagram: same layout both ways. `mac`: src/agent/claim-mac.ts. */
export const claim = {
  magic: 0x4d4c4359, // "YCLM"
  bytes: 144,
  kinds: { claim: 1, grant: 2, refuse: 3 },
  offsets: {
    magic: 0,
    version: 4,
    kind: 6,
    epoch: 8,
    sequence: 16,
    realtimeNs: 24,
    mac: 32,
    timesUs: 64,
    pages: 120,
    wireBytes: 128,
    referencedPages: 136,
  },
} as const;

export type FrameName = keyof typeof frameTypes;
export type PlanOpName = keyof typeof planOps;
export type ReasonName = keyof typeof reasons;
