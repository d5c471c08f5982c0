// The moves that were begun with this OS, each with the key that claims are signed with: a copy that was made in one that
// ended here asks until it is refused, and believes only who has its key. Kept for the next agent in memory, and for the
// next start of this computer on the disk of the OS: the freeze of a move writes it out.
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import * as v from 'valibot';
import type { ClaimKey } from '#wire/job.ts';
import { writePrivately } from './computer-keys.ts';
import { log } from './log.ts';

/** Copies of moves before these are no more: each was on a computer that has taken in the OS again since, or never will. */
const mostMoves = 32;

const MovesSchema = v.array(
  v.strictObject({ epoch: v.number(), key: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)) }),
);

/** A disk that is on another computer may be away just then. */
const diskMs = 2000;

/** packaging/files/prepare makes the folder, and copies the one on the disk to the one in memory when the computer starts. */
export const movesPaths = {
  memory: '/run/yado/moves.json',
  disk: '/proc/1/root/var/lib/yadokari/moves.json',
} as const;

export class BegunMoves {
  readonly #paths: { readonly memory: string; readonly disk: string };
  #moves: readonly ClaimKey[];

  /** Never throws: without the file nobody is refused who asks from before. */
  constructor(paths: { readonly memory: string; readonly disk: string } = movesPaths) {
    this.#paths = paths;
    this.#moves = readMoves(paths.memory);
  }

  get all(): readonly ClaimKey[] {
    return this.#moves;
  }

  /** 0 when none is known. */
  get newestEpoch(): number {
    return Math.max(0, ...this.#moves.map(each => each.epoch));
  }

  keyOf(epoch: bigint): Uint8Array | undefined {
    return this.#moves.find(each => BigInt(each.epoch) === epoch)?.key;
  }

  /** Before the freeze. A disk that cannot be written holds nothing up: it is needed only when this computer dies. */
  async begin(move: ClaimKey): Promise<void> {
    // An epoch in which nothing was frozen is used again: there was no copy.
    this.#moves = [...this.#moves.filter(each => each.epoch !== move.epoch), move].slice(-mostMoves);
    const text = JSON.stringify(
      this.#moves.map(({ epoch, key }) => ({ epoch, key: Buffer.from(key).toString('hex') })),
    );
    const { memory, disk } = this.#paths;
    writePrivately(memory, text);
    try {
      const signal = AbortSignal.timeout(diskMs);
      const written = writeFile(`${disk}.new`, text, { mode: 0o600, signal }).then(() =>
        rename(`${disk}.new`, disk),
      );
      const late = once(signal, 'abort').then(() => Promise.reject(signal.reason));
      await Promise.race([written, late]);
    } catch (error) {
      log(`${disk} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

function readMoves(path: string): ClaimKey[] {
  if (!existsSync(path)) return [];
  try {
    const moves = v.parse(MovesSchema, JSON.parse(readFileSync(path, 'utf8')));
    return moves.map(({ epoch, key }) => ({ epoch, key: Uint8Array.from(Buffer.from(key, 'hex')) }));
  } catch (error) {
    log(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}
