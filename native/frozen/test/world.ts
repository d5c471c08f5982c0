// Two fake kernels with the helper as A and as B on them, over loopback, for tests of whole moves.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scaled } from '#lab/time.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { cryptoInfo, encryptSocket } from '#linux/ktls.ts';
import { connectTcp } from '#linux/tcp.ts';
import { listenTcp } from '#linux/tcp-listener.ts';
import { pageBytes } from '#wire/frames.ts';
import { type ClaimKey, encodeSourceJob, encodeTargetJob, type SourceJob } from '#wire/job.ts';
import { writeFileStep } from '#wire/plan.ts';
import { Cable } from './cable.ts';
import { compileFakeFrozen, temporaryFolder } from './compile.ts';
import { type FakeHelper, type FakeSettings, startFake, writeImage } from './helpers.ts';
import { holdersOf, killQuietly } from './holders.ts';
import { imagePages, patternPage } from './image.ts';
import { freePort, freeUdpPort } from './ports.ts';
import { hasTls } from './tls.ts';

const root = temporaryFolder();
const plain = compileFakeFrozen(root);
let packing: string | undefined;
export const ip = '127.0.0.1';
export const needsRoot = { skip: process.getuid?.() !== 0 && 'needs root' }; // the copy binds its socket to an interface
const plans = ['leave', 'serve', 'back', 'arrive', 'adopt'] as const;

/** The image: 700 page frames, one in four empty, and the mailbox among them. */
export const pfns = Array.from({ length: 700 }, (_, index) => 0x100 + index);
const empty = Buffer.alloc(pageBytes);
const data = pfns.map((_, index) => (index % 4 && index !== 77 ? patternPage(index) : empty));
export const pages = imagePages(pfns, data);
export const mailboxAt = 1 + 2 + 77;
/** The same image of a kernel that leaves pages of zeros out, and the mailbox in it. */
const marked = new Set(pfns.keys().filter(index => index !== 77 && data[index] === empty));
const markedPages = imagePages(
  pfns,
  data.filter((_, index) => !marked.has(index)),
  marked,
);
const mailboxOfMarked = mailboxAt - [...marked].filter(index => index < 77).length;

/** Of the moves here. */
export const token: Uint8Array = new Uint8Array(32).fill(0x70);
export const claimKey = new Uint8Array(32).fill(0x77);
export const pastClaim: ClaimKey = { epoch: 41, key: new Uint8Array(32).fill(0x66) };

const fakeGhost = `echo $$ | tee -a ghosts > ghost-pid; exec ${process.execPath} ${join(import.meta.dirname, 'fake-ghost.ts')}`;
/** One that has not come as far as to write `left` on the disk when the power goes. */
export const slowGhost = `${fakeGhost} slow`;
/** It finds the disk only once the kernel's threads go on. */
export const lateGhost = `${fakeGhost} late`;

export interface World extends AsyncDisposable {
  readonly folder: string;
  readonly a: FakeHelper;
  readonly b: FakeHelper;
  readonly claimPort: number;
  /** Between A and B. */
  readonly cable: Cable;
  /** What else is done with A's job, once its helper has died. */
  readonly after: (what: 'back' | 'adopt') => FakeHelper;
  /** Names of the plans that have been run. */
  readonly ran: () => string[];
  readonly ghost: () => number | undefined;
}

export interface Changes {
  /** A's kernel leaves the pages of zeros out of its image and marks their frames, as kernels from 6.6 on do. */
  readonly marks?: boolean;
  readonly aFaults?: readonly string[];
  readonly bFaults?: readonly string[];
  readonly claimMs?: number;
  readonly stallMs?: number;
  readonly readyMs?: number;
  /** How long B waits for A to begin, or between what is copied ahead and the image. */
  readonly targetReadyMs?: number;
  readonly aSettings?: Partial<FakeSettings>;
  readonly bSettings?: Partial<FakeSettings>;
  readonly ramEnd?: number;
  /** Frames that A's OS will never use again. */
  readonly givenUp?: SourceJob['givenUp'];
  readonly failing?: (typeof plans)[number];
  readonly memory?: SourceJob['memory'];
  /** Pages that B holds. */
  readonly parkPages?: number;
  /** What is in B's memory, page by page, when B looks for pages of A in it; it does not without. */
  readonly bMemory?: readonly Buffer[];
  /** A packs what it sends, however fast the network is. */
  readonly packs?: boolean;
  /** So many in truth, when it is not what it has promised. */
  readonly bParkPages?: number;
  /** What A's kernel has besides the image. */
  readonly prepare?: (folder: string) => void;
  /** What a shell does as the ghost; a program that does what a ghost does when not given. */
  readonly ghost?: string;
}

/** B waits, A begins; in the clear only where the kernel of this machine does not encrypt. */
export async function move(changes: Changes = {}): Promise<World> {
  const folder = mkdtempSync(join(root, 'move-'));
  writeImage(folder, changes.marks ? markedPages : pages);
  changes.prepare?.(folder);
  const { parkPages = 0, bMemory } = changes;
  if (changes.packs) packing ??= compileFakeFrozen(root, true);
  const program = (changes.packs && packing) || plain;
  if (bMemory) writeFileSync(join(folder, 'memory-of-b'), Buffer.concat(bMemory));
  const ghostFile = join(folder, 'ghost-pid');
  const marks = Object.fromEntries(plans.map(name => [name, join(folder, `plan-${name}`)]));
  for (const path of Object.values(marks)) writeFileSync(path, '');
  const planOf = (name: (typeof plans)[number]) => [
    ...(changes.failing === name ? [writeFileStep(name, '/nowhere/at/all', 'ran')] : []),
    writeFileStep(name, marks[name] ?? '', 'ran'),
  ];
  const common = {
    epoch: 42,
    token,
    tagSeed: new Uint8Array(bMemory ? 32 : 0).fill(0x72),
    plain: !hasTls,
  };
  const secret = new Uint8Array(32).fill(0x71);
  const server = tlsKeys(secret, 'image', 'aes128gcm', 'server');
  const timeouts = {
    stallMs: changes.stallMs ?? scaled(2000),
    readyMs: changes.readyMs ?? scaled(3000),
    claimMs: changes.claimMs ?? scaled(5000),
    repeatMs: 20,
  };
  const port = await freePort();
  const claimPort = await freeUdpPort();
  const listener = listenTcp(ip, port);
  const b = startFake('B', {
    program,
    folder,
    streamFd: listener.fd,
    job: encodeTargetJob({
      ...common,
      tls: hasTls ? { out: cryptoInfo(server.out), in: cryptoInfo(server.in) } : undefined,
      sourceAddress: ip,
      timeouts: { ...timeouts, readyMs: changes.targetReadyMs ?? timeouts.readyMs },
      faults: changes.bFaults ?? [],
      ramRanges: [{ startPfn: 0x100, endPfn: changes.ramEnd ?? 0x1000 }],
      e820Checksum: 1,
      physicalPages: 2,
      parkPages: changes.bParkPages ?? parkPages,
      memory: bMemory ? [{ offset: 0n, startPfn: 0x100, endPfn: 0x100 + bMemory.length }] : [],
      makeRoom: [],
    }),
    ...changes.bSettings,
  });
  listener[Symbol.dispose]();
  await Promise.race([b.told, b.ended]);
  const cable = await Cable.plug(
    port,
    () => writeFileSync(join(folder, 'cut'), ''),
    () => rmSync(join(folder, 'cut')),
  );
  const stream = await connectTcp({ ip, port: cable.port }, 10_000);
  if (hasTls) encryptSocket(stream.fd, tlsKeys(secret, 'image', 'aes128gcm', 'client'));
  const job: SourceJob = {
    ...common,
    claimKey,
    pastClaims: [pastClaim],
    timeouts,
    faults: changes.aFaults ?? [],
    claimAddress: ip,
    claimPort,
    copyInterface: 'lo',
    copyAddress: ip,
    ghostArgv: ['/bin/sh', '-c', `cd ${folder} || exit; ${changes.ghost ?? fakeGhost}`],
    memory: changes.memory ?? [],
    parkPages,
    givenUp: changes.givenUp ?? [],
    plans: {
      leave: planOf('leave'),
      serve: planOf('serve'),
      back: planOf('back'),
      arrive: planOf('arrive'),
      adopt: planOf('adopt'),
    },
  };
  const settings = {
    program,
    folder,
    streamFd: stream.fd,
    job: encodeSourceJob(job),
    mailboxAt: changes.marks ? mailboxOfMarked : mailboxAt,
    restoredAt: mailboxAt,
  };
  const a = startFake('A', { ...settings, ...changes.aSettings });
  let isOver = false;
  const later: FakeHelper[] = [];
  const after = (what: 'back' | 'adopt'): FakeHelper => {
    if (isOver) throw new Error('the move is over');
    const helper = startFake('A', { ...settings, streamFd: 0 }, what);
    later.push(helper);
    return helper;
  };
  stream[Symbol.dispose]();
  /** The process, or with -1 the group of it, that a file names and that still lives. */
  const alive = (file: string, sign: 1 | -1): number | undefined => {
    try {
      const pid = Number(readFileSync(file, 'utf8'));
      if (!(pid > 1)) return undefined; // 0 and 1 would mean others
      process.kill(sign * pid, 0);
      return sign * pid;
    } catch {
      return undefined;
    }
  };
  const ghost = () => alive(ghostFile, -1);
  const ran = (): string[] => plans.filter(name => readFileSync(marks[name] ?? '', 'utf8') === 'ran');
  return {
    folder,
    a,
    b,
    claimPort,
    cable,
    after,
    ran,
    ghost,
    async [Symbol.asyncDispose]() {
      isOver = true;
      for (const helper of [a, b, ...later]) await helper[Symbol.asyncDispose]();
      cable.unplug();
      for (const pid of [...holdersOf(folder, 'image'), ...holdersOf(folder, 'held-by-copy')])
        killQuietly(pid);
      for (const left of [ghost(), alive(join(folder, 'copy-pid'), 1)])
        if (left !== undefined) process.kill(left, 'SIGKILL');
    },
  };
}

/** Where the OS runs, as the log tells. */
export const runsAt = (log: readonly string[]): string[] => [
  ...(log.includes('A freeze') && !log.includes('A unfreeze') ? [] : ['A']),
  ...(log.includes('copy unfreeze') ? ['B'] : []),
];

/** The image at B is that of A, byte for byte. */
export function assertImage({ folder }: World, without: readonly number[] = []): void {
  const restored = readFileSync(join(folder, 'restored'));
  const kept = [...pfns.keys()].filter(index => !without.includes(pfns[index] ?? 0));
  const wanted = imagePages(
    kept.map(index => pfns[index] ?? 0),
    kept.map(index => data[index] ?? empty),
  );
  assert.equal(restored.length, wanted.length * pageBytes);
  assert.deepEqual(restored.subarray(416, 432), wanted[0]?.subarray(416, 432));
  for (const [index, page] of wanted.entries()) {
    if (index === 0 || index === mailboxAt) continue; // patched by B on purpose
    assert.ok(restored.subarray(index * pageBytes, (index + 1) * pageBytes).equals(page), `page ${index}`);
  }
}
