// Starts the frozen helper on the fake kernel (see fake-kernel.c), as A or as B, and speaks to it as its agent does.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { encodeFrame, type Frame, FrameReader } from '#wire/frame.ts';
import { frameTypes } from '#wire/frames.ts';
import { decodePreCopy, type PreCopyRound } from '#wire/pre-copy.ts';
import { decodeReport, type HelperReport } from '#wire/report.ts';
import { sanitizerEnv } from './compile.ts';

export interface FakeHelper extends AsyncDisposable {
  /** What it reports at the end; for A also what the copy reports that woke up on B. */
  readonly report: Promise<HelperReport>;
  /** Frames to the agent other than the report, in the order they came. */
  readonly frames: Frame[];
  /** Exit code, once it has ended. */
  readonly ended: Promise<number | null>;
  readonly pid: number;
  /** Waits until the agent is told something: `progress` with nothing done means that /dev/snapshot is open. */
  readonly told: Promise<void>;
  cancel(): void;
  /** To A, before the freeze. */
  say(word: 'again' | 'freeze'): void;
  /** The agent dies. */
  hangUp(): void;
  kill(): void;
}

export interface FakeSettings {
  readonly program: string;
  /** Holds `image` (read by A), `written`, `restored` (by B) and `log`. */
  readonly folder: string;
  readonly job: Uint8Array;
  readonly streamFd: number;
  /** Index of the mailbox page in the image. */
  readonly mailboxAt?: number;
  /** The same in what B writes, when that is another place. */
  readonly restoredAt?: number;
  readonly restoreFails?: boolean;
  /** Index of the page whose write fails for want of memory. */
  readonly failWrite?: number;
  /** What A's agent says to a round that is over; without it there is no more than one. */
  readonly decide?: (round: PreCopyRound) => 'again' | 'freeze' | 'cancel' | 'nothing';
}

export function startFake(
  name: 'A' | 'B',
  settings: FakeSettings,
  role: 'source' | 'target' | 'back' | 'adopt' = name === 'A' ? 'source' : 'target',
): FakeHelper {
  const { program, folder, job, streamFd, mailboxAt, restoredAt, restoreFails, failWrite } = settings;
  const decide = settings.decide ?? (() => 'freeze');
  const child = spawn(program, [role, '3', '4'], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe', streamFd],
    env: {
      ...process.env,
      ...sanitizerEnv,
      YADO_FAKE_DIR: folder,
      YADO_FAKE_NAME: name,
      ...(mailboxAt !== undefined && { YADO_FAKE_MAILBOX_AT: String(mailboxAt) }),
      ...(restoredAt !== undefined && { YADO_FAKE_RESTORED_AT: String(restoredAt) }),
      ...(restoreFails && { YADO_FAKE_RESTORE: 'fails' }),
      ...(failWrite !== undefined && { YADO_FAKE_FAIL_WRITE: String(failWrite) }),
    },
  });
  const channel = child.stdio[3] as Duplex;
  const reader = new FrameReader(4096);
  const frames: Frame[] = [];
  const report = Promise.withResolvers<HelperReport>();
  const told = Promise.withResolvers<void>();
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  channel.on('data', (chunk: Buffer) => {
    for (const frame of reader.push(chunk)) {
      if (frame.type === frameTypes.preCopy.number) {
        const round = decodePreCopy(frame.arg, frame.payload);
        const word = round.state === 'underWay' ? 'nothing' : decide(round);
        if (word !== 'nothing') channel.write(encodeFrame(frameTypes[word].number, 0n));
      }
      if (frame.type === frameTypes.result.number) report.resolve(decodeReport(frame.arg, frame.payload));
      else frames.push(frame);
      told.resolve();
    }
  });
  channel.on('error', () => {});
  channel.write(job);
  return {
    report: report.promise,
    told: told.promise,
    ended,
    pid: child.pid ?? 0,
    frames,
    cancel: () => void channel.write(encodeFrame(frameTypes.cancel.number, 0n)),
    say: word => void channel.write(encodeFrame(frameTypes[word].number, 0n)),
    hangUp: () => void channel.destroy(),
    kill: () => void child.kill('SIGKILL'),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      channel.destroy();
      await ended;
    },
  };
}

/** What the fake kernels were asked for, a line each: `A freeze`, `B restore`, `copy unfreeze`, … */
export function logOf(folder: string): string[] {
  try {
    return readFileSync(join(folder, 'log'), 'utf8').trimEnd().split('\n');
  } catch {
    return [];
  }
}

/** Waits until the log has `line`. @throws AssertionError-like Error with the log after five seconds */
export async function waitForLog(folder: string, line: string): Promise<void> {
  await waitUntil(
    () => logOf(folder).includes(line),
    () => `no "${line}" in: ${logOf(folder).join(', ')}`,
  );
}

/** Waits until this fault point of either helper strikes. */
export async function waitForFault(folder: string, point: string): Promise<void> {
  const file = join(folder, 'kmsg');
  await waitUntil(
    () => existsSync(file) && readFileSync(file, 'utf8').includes(`fault ${point}:`),
    () => `${point} did not strike`,
  );
}

async function waitUntil(holds: () => boolean, otherwise: () => string): Promise<void> {
  for (const until = performance.now() + 5000; !holds(); ) {
    if (performance.now() > until) throw new Error(otherwise());
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

export function writeImage(folder: string, pages: readonly Buffer[]): void {
  writeFileSync(join(folder, 'image'), Buffer.concat(pages));
}
