// Starts the frozen helper with one job and listens to it. The helper decides nothing that is not in its job.
import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { encodeFrame, FrameReader } from '#wire/frame.ts';
import { frameTypes } from '#wire/frames.ts';
import { decodePreCopy, type PreCopyRound } from '#wire/pre-copy.ts';
import { decodeReport, type HelperReport } from '#wire/report.ts';

export const helperPath = '/bin/frozen';
const maxMessageBytes = 4096;

export interface HelperProgress {
  readonly wireBytes: number;
  readonly pagesDone: number;
  readonly pagesTotal: number;
  /** Of those copied ahead, before the image. */
  readonly pagesParked: number;
}

/** Who is told what. */
export interface HelperListeners {
  readonly progress?: (progress: HelperProgress) => void;
  readonly preCopy?: (round: PreCopyRound) => void;
}

export interface RunningHelper {
  /** How the job ended; rejects when the helper died without a word. */
  readonly report: Promise<HelperReport>;
  /** One more round of the pre-copy; answers a round that is over. */
  again(): void;
  /** No more rounds: from here on a source's helper is told through its ghost, for its agent is frozen. */
  freeze(): void;
  /** Ends a target's job, or a source's before the freeze. */
  cancel(): void;
}

/** `streamFd` is the connection to the target, or the target's listening socket; the caller closes its own copy. */
export function startHelper(
  role: 'source' | 'target' | 'back' | 'adopt',
  job: Uint8Array,
  streamFd: number,
  listeners: HelperListeners = {},
  path = helperPath,
): RunningHelper {
  const child = spawn(path, [role, '3', '4'], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', streamFd],
  });
  const channel = child.stdio[3] as Duplex;
  const reader = new FrameReader(maxMessageBytes);
  const { promise, resolve, reject } = Promise.withResolvers<HelperReport>();
  channel.on('data', (chunk: Buffer) => {
    try {
      for (const { type, arg, payload } of reader.push(chunk)) {
        if (type === frameTypes.result.number) resolve(decodeReport(arg, payload));
        if (type === frameTypes.progress.number && payload.length === 24) {
          listeners.progress?.({
            wireBytes: Number(arg),
            pagesDone: Number(payload.readBigUInt64LE(0)),
            pagesTotal: Number(payload.readBigUInt64LE(8)),
            pagesParked: Number(payload.readBigUInt64LE(16)),
          });
        }
        if (type === frameTypes.preCopy.number) listeners.preCopy?.(decodePreCopy(arg, payload));
      }
    } catch (error) {
      reject(error);
    }
  });
  channel.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') reject(error); // it has ended: how is told when it is closed
  });
  child.on('error', reject);
  // Not at its exit: the report may still lie in the channel.
  child.on('close', (code, signal) =>
    reject(new Error(`the frozen helper ended without a report (${signal ?? code})`)),
  );
  channel.write(job);
  const say = (word: 'again' | 'freeze' | 'cancel') => () =>
    void channel.write(encodeFrame(frameTypes[word].number, 0n));
  return { report: promise, again: say('again'), freeze: say('freeze'), cancel: say('cancel') };
}
