// Two disks and an OS that writes at every moment it can: when the disk has followed both are equal, whatever was written
// when; and at no moment does anybody read from the new disk what the old one does not have.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Extent, type FollowProgress, regionBytes, regionsOf, type Segment } from '#core/disk-follow.ts';
import { DiskDiffers, DiskFailed, type FollowWorld, follow, type MirrorsState } from './follow.ts';

const pieceBytes = regionBytes / 2;

interface Write {
  readonly piece: number;
  readonly value: number;
  /** Disks that have it still to come. */
  readonly to: number[][];
}

/** A kernel with a stub over two disks. Time passes only where somebody waits; `chance` says what happens then. */
class FakeDisks implements FollowWorld {
  readonly sizeBytes: number;
  readonly there: number[];
  readonly here: number[];
  readonly progress: FollowProgress[] = [];
  segments: readonly Segment[];
  copiedRegions = 0;
  failed: MirrorsState['failed'];
  /** A disk that forgets what is written here. */
  lies: number | undefined;
  countsWrites = true;
  readonly #chance: () => number;
  readonly #underWay: Write[] = [];
  #toCopy: number[] = [];
  #completed = 0;
  #isHeld = false;
  #now = 0;
  #values = 100;
  /** How often it writes: 0 never, 1 at every moment. */
  readonly #busy: number;

  constructor(there: number[], here: number[], busy: number, chance: () => number) {
    this.there = there;
    this.here = here;
    this.sizeBytes = there.length * pieceBytes;
    this.segments = [{ kind: 'remote', start: 0, bytes: this.sizeBytes }];
    this.#busy = busy;
    this.#chance = chance;
  }

  hashesThere = (extent: Extent): Promise<readonly string[]> => this.#hashes(this.there, extent);
  hashesHere = (extent: Extent): Promise<readonly string[]> => this.#hashes(this.here, extent);
  writes = (): number | undefined => (this.countsWrites ? this.#completed : undefined);
  mirrors = (): MirrorsState => ({ isCopied: this.#toCopy.length === 0, failed: this.failed });
  nowMs = (): number => this.#now;
  told = (progress: FollowProgress): void => void this.progress.push(progress);

  pause = async (ms: number): Promise<void> => {
    this.#now += ms;
    this.#happen();
  };

  exchange = async (segments: readonly Segment[], isTrue?: () => Promise<boolean>): Promise<boolean> => {
    this.#happen();
    this.#isHeld = true;
    while (this.#underWay.length > 0) this.#step();
    this.#happen();
    const answer = (await isTrue?.()) ?? true;
    if (answer) this.#put(segments);
    this.#isHeld = false;
    this.#happen();
    return answer;
  };

  get isEqual(): boolean {
    while (this.#underWay.length > 0) this.#step();
    return this.there.every((value, piece) => value === this.here[piece]);
  }

  #put(segments: readonly Segment[]): void {
    let at = 0;
    for (const { kind, start, bytes } of segments) {
      assert.equal(start, at, 'the whole disk, without gaps');
      at += bytes;
      if (kind !== 'both') continue;
      for (let piece = start / pieceBytes; piece < (start + bytes) / pieceBytes; piece++)
        assert.equal(this.here[piece], this.there[piece], `piece ${piece} is taken to be equal`);
    }
    assert.equal(at, this.sizeBytes);
    this.segments = segments;
    this.#toCopy = segments
      .filter(each => each.kind === 'copy')
      .flatMap(each => regionsOf(each).map(region => region.start / regionBytes));
  }

  async #hashes(disk: number[], extent: Extent): Promise<readonly string[]> {
    const hashes: string[] = [];
    for (const { start, bytes } of regionsOf(extent)) {
      await Promise.resolve();
      this.#happen();
      this.#now += 1;
      const from = start / pieceBytes;
      hashes.push(disk.slice(from, from + bytes / pieceBytes).join());
    }
    return hashes;
  }

  #happen(): void {
    for (let count = 0; count < 3; count++) {
      if (!this.#isHeld && this.#chance() < this.#busy) this.#begin();
      if (this.#chance() < 0.5) this.#step();
      if (!this.#isHeld && this.#chance() < 0.7) this.#copy();
    }
  }

  #begin(): void {
    const piece = Math.floor(this.#chance() * this.there.length);
    const region = Math.floor(piece / 2);
    const segment = this.segments.find(
      each => each.start + each.bytes > piece * pieceBytes && each.start <= piece * pieceBytes,
    );
    const isMirrored =
      segment?.kind === 'both' || (segment?.kind === 'copy' && !this.#toCopy.includes(region));
    // Two that are under way to the same place have no order, and a file system waits for the first.
    if (this.#underWay.some(each => each.piece === piece)) return;
    const to = isMirrored ? [this.there, this.here] : [this.there];
    if (this.#chance() < 0.5) to.reverse();
    this.#underWay.push({ piece, value: ++this.#values, to });
  }

  #step(): void {
    const write = this.#underWay[Math.floor(this.#chance() * this.#underWay.length)];
    if (!write) return;
    const disk = write.to.shift();
    if (disk && !(disk === this.here && write.piece === this.lies)) disk[write.piece] = write.value;
    if (write.to.length > 0) return;
    this.#underWay.splice(this.#underWay.indexOf(write), 1);
    this.#completed++;
  }

  /** The kernel copies a region that nothing is written to meanwhile. */
  #copy(): void {
    const region = this.#toCopy[0];
    if (region === undefined || this.#underWay.some(each => Math.floor(each.piece / 2) === region)) return;
    this.#toCopy.shift();
    this.copiedRegions++;
    for (const piece of [region * 2, region * 2 + 1])
      if (piece < this.there.length && piece !== this.lies) this.here[piece] = this.there[piece] ?? 0;
  }
}

/** Some numbers in [0, 1), the same for the same seed. */
function chances(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** 2.3 windows, the last region cut short. */
const pieces = 147;
const numbered = (): number[] => Array.from({ length: pieces }, (_, piece) => piece + 1);
const never = (): number => 0.99;

test('both disks are equal in the end, whatever was written and when', async () => {
  const property = fc.asyncProperty(
    fc.nat(),
    fc.constantFrom(0, 0.01, 0.1, 0.6),
    fc.uniqueArray(fc.nat(pieces - 1), { maxLength: 40 }),
    fc.boolean(),
    async (seed, busy, changed, countsWrites) => {
      const here = numbered();
      for (const piece of changed) here[piece] = 0;
      const disks = new FakeDisks(numbered(), here, busy, chances(seed));
      disks.countsWrites = countsWrites;
      await follow(disks);
      assert.deepEqual(disks.segments, [{ kind: 'both', start: 0, bytes: disks.sizeBytes }]);
      assert.ok(disks.isEqual);
      assert.equal(disks.progress.at(-1)?.doneBytes, disks.sizeBytes);
    },
  );
  await fc.assert(property, { numRuns: 300 });
});

test('only what differs is copied', async () => {
  const here = numbered();
  for (const piece of [3, 90, 91, 146]) here[piece] = 0;
  const disks = new FakeDisks(numbered(), here, 0, chances(1));
  await follow(disks);
  assert.equal(disks.copiedRegions, 3);
  assert.equal(disks.progress.at(-1)?.copiedBytes, 2 * regionBytes + pieceBytes);
  assert.ok(disks.isEqual);
});

test('where nobody counts the writes everything is copied', async () => {
  const disks = new FakeDisks(numbered(), numbered(), 0, chances(1));
  disks.countsWrites = false;
  await follow(disks);
  assert.equal(disks.copiedRegions, Math.ceil(pieces / 2));
});

test('a disk that does not keep what is written to it is found out, and nothing is taken to be equal', async () => {
  const here = numbered();
  here[100] = 0;
  const disks = new FakeDisks(numbered(), here, 0, chances(1));
  disks.lies = 100;
  await assert.rejects(follow(disks), (error: unknown) => {
    assert.ok(error instanceof DiskDiffers);
    assert.equal(error.extent.start, 50 * regionBytes);
    return true;
  });
  assert.ok(disks.segments.some(each => each.kind === 'remote'));
});

test('a disk that fails ends it', async () => {
  for (const where of ['here', 'there'] as const) {
    const disks = new FakeDisks(numbered(), numbered(), 0, never);
    disks.failed = where;
    await assert.rejects(
      follow(disks),
      (error: unknown) => error instanceof DiskFailed && error.where === where,
    );
  }
});

test('it rests between windows', async () => {
  const disks = new FakeDisks(numbered(), numbered(), 0, chances(1));
  let rested = 0;
  const pause = async (ms: number): Promise<void> => {
    rested += ms;
    await disks.pause(ms);
  };
  await follow({ ...disks, pause });
  assert.ok(rested >= 147, `${rested} ms of rest for as much work`);
});
