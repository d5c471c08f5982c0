// Renders docs/protocol.md: prose by hand, every number and every name from the tables of src/wire. Pure.

import { cipherNames, ciphers } from '#core/ciphers.ts';
import {
  bulkPort,
  claimPort,
  controlPort,
  controlRequests,
  maxControlBytes,
  nbdPort,
  protocolVersion,
} from '#wire/control.ts';
import {
  claim,
  claimKeyBytes,
  diskHelloText,
  frameHeaderBytes,
  frameMagic,
  frameTypes,
  hadBytes,
  jobFields,
  macBytes,
  maxJobBytes,
  maxPayloadBytes,
  outcomes,
  pageBytes,
  pagesPerFrame,
  pagesPrologueBytes,
  parkPrologueBytes,
  planOps,
  reasons,
  secretBytes,
  tagBytes,
  tagKeyBytes,
  timedSteps,
  tokenBytes,
  wireVersion,
} from '#wire/frames.ts';

import { maxPairingBytes, pairingMessages, pairingPort } from '#wire/pairing.ts';

const cipherKeyBytes = Object.values(ciphers)
  .map(each => each.keyBytes)
  .join(' or ');

const hex = (value: number): string => `0x${value.toString(16)}`;
const code = (text: string): string => `\`${text}\``;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(row => `| ${row.join(' | ')} |`).join('\n');
const list = (numbers: Readonly<Record<string, number>>): string =>
  Object.entries(numbers)
    .map(([name, number]) => `${number} ${name}`)
    .join(', ');

/** Fields of a message, with `none` for one that has none. */
const fieldsOf = (schema: { readonly entries: object }): string =>
  Object.keys(schema.entries).map(code).join(', ') || 'none';

function ports(): string {
  return table(
    ['port', 'what', 'who listens'],
    [
      [`TCP ${controlPort}`, 'control messages, in TLS 1.3', 'every agent, on its machine address only'],
      [
        `UDP ${claimPort}`,
        'claims, signed',
        'the helper of A while it moves the OS; otherwise the agent that has the OS',
      ],
      [
        `TCP ${bulkPort}`,
        'the image, encrypted by the kernel; others than A are hung up on',
        'the helper of B, from `prepare` until the one connection has begun',
      ],
      [
        `TCP ${pairingPort}`,
        'pairing',
        'an agent that was told `yado accept`, for two minutes and three attempts at most',
      ],
      [
        `TCP ${nbdPort}`,
        'NBD, disks left behind, encrypted by the kernel',
        'the ghost, once the OS is granted, and the standby after it',
      ],
    ],
  );
}

const frames = (from: number, to: number): string =>
  table(
    ['number', 'name', 'argument', 'payload'],
    Object.entries(frameTypes)
      .filter(([, row]) => row.number >= from && row.number <= to)
      .map(([name, { number, arg, payload }]) => [number, code(name), arg || '–', payload || '–']),
  );

const claimSizes: Readonly<Record<keyof typeof claim.offsets, string>> = {
  magic: `u32, ${hex(claim.magic)} ("YCLM")`,
  version: `u16, ${wireVersion}`,
  kind: `u16: ${list(claim.kinds)}`,
  epoch: 'u64, the epoch of the move',
  sequence: 'u64, counts the claims of this copy from 1; an answer repeats the number of its question',
  realtimeNs: "u64, A's wall clock in the answer, nanoseconds since 1970",
  mac: `${macBytes} bytes: HMAC-SHA256 of the whole datagram with zeros here`,
  timesUs: `u32 × ${timedSteps.length}, A's steps in microseconds, in the answer: ${timedSteps.join(', ')}`,
  pages: 'u64, pages of the image, in the answer',
  wireBytes: 'u64, bytes A has sent, in the answer',
  referencedPages: 'u64, pages of the image that B had already, in the answer',
};

const pairingFrom: Readonly<Record<keyof typeof pairingMessages, string>> = {
  commit: 'OS',
  offer: 'computer',
  reveal: 'OS',
  verdict: 'both',
};

/** The whole page as text; `scripts/generate.ts` writes it and checks that it is not stale. */
export function protocolMarkdown(): string {
  return `# The protocol

Generated from \`src/wire\` by \`npm run generate\`; do not edit.

Everything is little-endian unless it says otherwise. 0 is never a valid number. Lengths are checked before anything is
kept. Whatever does not fit is refused as a whole; there are no optional parts and no guesses.

Control messages, the image and disks are encrypted, claims are signed, and a pairing is compared by two persons: see the
[threat model](threat-model.md).

## Ports

${ports()}

## Control messages (version ${protocolVersion})

TLS 1.3 and nothing older, X25519, both sides with an Ed25519 key in a self-signed certificate in which nothing but the
key counts. The one who asks is an OS and compares the key with the one it has pinned to the computer's name; before that it
sends nothing. The one who answers is a computer and looks for the key among those of the OSes that may use it; whoever has
none of them gets \`strangerRefused\` and is hung up on, and nothing of what it said is read. A request that names an OS must
name the one whose key it is.

A u32 length (at most ${maxControlBytes}), then one CBOR map: a request is \`{version, id, type, body}\`, its answer
\`{version, id, body}\` or \`{version, id, error: {code, message, hint}}\` (codes: [errors](errors.md)). Unknown fields,
unknown types, indefinite lengths and repeated keys are refused. Bytes that are no request are answered with an error,
then the connection is closed. Another version is answered with \`versionMismatch\`.

${table(
  ['type', 'asks', 'answer'],
  Object.entries(controlRequests).map(([type, { request, answer }]) => [
    code(type),
    fieldsOf(request),
    fieldsOf(answer),
  ]),
)}

## Pairing

Plain TCP on a port that is closed but for two minutes after \`yado accept\`. A u32 length (at most ${maxPairingBytes}), then one CBOR map;
keys, nonces and the commitment are base64url of 32 bytes.

${table(
  ['type', 'from', 'fields'],
  Object.entries(pairingMessages).map(([type, schema]) => [
    code(type),
    pairingFrom[type as keyof typeof pairingMessages],
    fieldsOf(schema),
  ]),
)}

Commitment: SHA-256 of the JSON list of "yadokari pairing 1, commitment", the OS's name, key and nonce. Code: the first 48 bits,
big-endian, of SHA-256 of the JSON list of "yadokari pairing 1, code" and name, key and nonce of the OS, then of the computer,
modulo 1 000 000. The OS is bound before it knows the computer's nonce and the computer tells its nonce before it knows the
OS's, so that one in the middle cannot try until the codes agree. Both sides pin the other's key when both persons have
said yes.

## Frames (version ${wireVersion})

A frame is a header of ${frameHeaderBytes} bytes and a payload of at most ${maxPayloadBytes} bytes.

${table(
  ['offset', 'size', 'what'],
  [
    [0, 'u16', `magic ${hex(frameMagic)} ("YD")`],
    [2, 'u8', `version ${wireVersion}`],
    [3, 'u8', 'type'],
    [4, 'u32', 'length of the payload'],
    [8, 'u64', 'argument'],
  ],
)}

### The image, from A's helper to B's and back

${frames(1, 19)}

A begins. While the OS still runs it may send \`park\`: memory that is copied ahead. Then it freezes, sends \`pages\` in
ascending order without a gap, then \`end\`; B answers \`ready\`, A says \`go\`. Any time before that A may say \`abort\`, B
\`failed\` (with a reason of the table below) or \`cancel\`.

A \`park\` payload is a u32 count (0 to ${pagesPerFrame}), a u32 that is 0 (these first ${parkPrologueBytes} bytes are always there), as many u32 slots,
as many pages of ${pageBytes} bytes. B keeps each page under its slot, in place of what it had there; slots are numbered from 0 and
there are as many as its answer to \`prepare\` has room for (\`parkBytes\`). B knows nothing else of them. A sends at least one
\`park\` a second as long as it copies ahead, an empty one if need be; none comes behind the first \`pages\`.

When the answer to \`prepare\` has a \`tagSeed\`, A names its pages before it copies any: \`tags\` frames with a tag of ${tagBytes} bytes for
each slot, in ascending order without a gap, the last of them empty. Meanwhile \`park\` frames are empty. B looks for these pages
in its own memory; what it finds is in the slot as if A had sent it. It answers with \`had\` frames: empty ones while it looks,
then the bitmap of all slots that were named, ${hadBytes} bytes a frame. The key of the tags is ${(tagKeyBytes / macBytes).toFixed(0)} times HMAC-SHA256 of a u32 that counts
from 0, keyed with the seed. A tag is two sums of 128 bits over the pairs of u64 of the page, (m0 + k0)(m1 + k1) + (m2 + k2)(m3 + k3) +
…, the second with the key two words on. Tags that nobody asked for, more of them than slots, and any behind the empty one or
behind a parked page are refused.

A \`packed\` frame stands for the frame that is in it: its payload is a u32 type (\`park\` or \`pages\`, nothing else), a u32 length and
one block of LZ4 that unpacks to exactly that many bytes. A packs what it likes.

The pages of the image are those that \`/dev/snapshot\` gives: a header, the list of page frame numbers, the data,
${pageBytes} bytes each. A \`pages\` payload is a u32 count (1 to ${pagesPerFrame}), a u32 that is 0, two bitmaps of ${pagesPerFrame} bits (these first
${pagesPrologueBytes} bytes are always there), a u32 slot for each page whose bit is set in the second, and each page whose bit is set in the
first. The former are parked at B already, the others are empty and cost two bits. A bit set in both, a bit behind the
count, a slot that was never filled, a header or list page or the mailbox page by reference are refused.

B believes nothing: the header must agree with itself, every page frame must lie in B's own RAM and be greater than the
one before, the number of pages must be the announced one. B writes its own memory map checksum and page count into the
header. Exactly one data page must begin with the token XOR (0xa5 + i): the mailbox of A's helper. There B writes
"you are on B" (u32 1 at ${tokenBytes}) and 64 random bytes (at ${tokenBytes + 8}).

### Between an agent and its helper

${frames(20, 39)}

A job (at most ${maxJobBytes} bytes) is a row of fields: u16 tag, u16 0, u32 length, bytes. Tags: ${list(jobFields)}.

A plan is a row of operations: u16 number, u16 flags (1: may fail), u32 length, payload.

${table(
  ['number', 'operation', 'payload'],
  Object.entries(planOps).map(([name, { number, payload }]) => [number, code(name), payload]),
)}

Outcomes: ${list(outcomes)}.
Reasons: ${list(reasons)}.

## Keys of the other channels

Each begins with a secret: ${secretBytes} random bytes in a control message, used once. The one of a move is in \`prepare\`;
the one of a connection to a disk is in the answer to \`device\`, counts for the next connection only, and not any more
once another one was given out. Of a secret, HKDF-SHA256 (RFC 5869) without salt makes, for the purpose "yadokari 3 " and one
of these:

| purpose | bytes | what |
| --- | --- | --- |
| \`token\` | ${tokenBytes} | what begins the image and marks the mailbox page |
| \`claim\` | ${claimKeyBytes} | key of the claims of the move and of their answers |
| \`image CIPHER client key\`, \`… iv\` | ${cipherKeyBytes}, 12 | A sends the image |
| \`image CIPHER server key\`, \`… iv\` | ${cipherKeyBytes}, 12 | B sends on the same connection |
| \`disk CIPHER client key\`, \`… iv\` | ${cipherKeyBytes}, 12 | the OS sends to the disk server |
| \`disk CIPHER server key\`, \`… iv\` | ${cipherKeyBytes}, 12 | the disk server sends |

CIPHER is ${cipherNames.map(code).join(' or ')}, chosen by the OS for a move, the one that is fastest on the slower of the
two computers; that of a disk is told with its secret. From its first byte on the connection consists of TLS 1.3 records (RFC 8446, 5.2) of application data under
these keys, numbered from 0; there is no handshake. The kernels make and read them (kTLS). A record that was not made
with the key, comes twice, or in another order ends the connection.

On a connection to a disk the OS first says "${diskHelloText}": that it can say it shows that it has the key. Then the server
of the connection before is ended, and what follows is NBD in fixed newstyle.

## The claim

One datagram of ${claim.bytes} bytes, the same layout both ways.

${table(
  ['offset', 'field', 'what'],
  Object.entries(claim.offsets).map(([name, offset]) => [
    offset,
    code(name),
    claimSizes[name as keyof typeof claim.offsets],
  ]),
)}

The copy on B asks, and asks again until it is answered; it never decides by itself. A answers the same question always
the same way. \`grant\` is the point of no return: A's copy never runs again. \`refuse\` makes the copy reset its computer.
A datagram of another length, magic or version, of a move that is not known, or with another MAC is not answered.
`;
}
