// One move in which something goes wrong, on two fake kernels, from the first byte to where it comes to rest: who runs the
// OS then, and what a person reads. Plays what is around the helpers as the agents do: the claim desk of whoever has the
// OS, the ghost that keeps a grant, and the helper after one that has died.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asYadoError, type YadoError, yadoError } from '#core/errors.ts';
import { type FaultKind, type FaultName, faultNames, faultPoints } from '#core/faults.ts';
import { scaled } from '#lab/time.ts';
import type { HelperReport } from '#wire/report.ts';
import { ClaimDesk, grantOf, refusalOf } from '../../../src/agent/claim-desk.ts';
import { Doubt } from '../../../src/agent/doubt.ts';
import { reasonSentence, targetSentence } from '../../../src/agent/sentences.ts';
import { logOf } from './helpers.ts';
import { holdersOf, killQuietly } from './holders.ts';
import { live, withMemory } from './memory.ts';
import { type Changes, claimKey, ip, move, needsRoot, type World } from './world.ts';

const story = { source: 'a', target: 'b', labels: ['put a device aside'], claimSeconds: 1, readySeconds: 2 };
/** Whoever has the OS at A knows the moves that were begun there, also behind a restart. */
const refusal = refusalOf(epoch => (epoch === 42n ? claimKey : undefined));
/** Much shorter than on any computer, in the same order; a dozen of these moves on two cores stand still for seconds at times. */
export const times = {
  stallMs: scaled(4000),
  readyMs: scaled(12_000),
  claimMs: scaled(9000),
  targetReadyMs: scaled(16_000),
};
export const lateMs = 250;
/** Most of the time these moves wait. */
export const together = { concurrency: 6, ...needsRoot };
export const pointsOfHelpers: readonly FaultName[] = faultNames.filter(
  name => faultPoints[name].side !== 'ghost',
);

/** Armed in the job of the helper whose step it is; on the way back only a move that fails comes by. */
export function armed(name: FaultName, kind: FaultKind, n?: number): Changes {
  const { side, stage } = faultPoints[name];
  const fault = `${name}:${kind}${n === undefined ? '' : `=${n}`}`;
  const faults = stage === 'returning' ? [fault, 'source.pages:error'] : [fault];
  return side === 'target' ? { bFaults: faults } : { aFaults: faults };
}

const restMs = scaled(40_000);

export interface FaultyMove extends AsyncDisposable {
  readonly world: World;
  /**
   * Waits until a helper has said that this fault point strikes. What comes back is when it had not yet, at the last look:
   * on the clock of performance.now(), in ms.
   */
  struck(point: string): Promise<number>;
  /** What A's agent reads: undefined when the move succeeds, or when A has no power. */
  readonly told: Promise<YadoError | undefined>;
  /** Computers that run the OS just now. */
  owners(): ('A' | 'B')[];
  /** Nothing of an OS is left at B: it can take one in. */
  isStandby(): boolean;
  /** Waits until it is so. @throws Error when two computers run the OS at any time, or it does not come to that */
  rest(what: string, holds: () => boolean): Promise<unknown>;
  powerOff(computer: 'A' | 'B'): void;
  /** B is switched on again, without the OS. */
  comesUpAsStandby(): void;
  /** A is switched on again: as `src/agent/doubt.ts` decides by what its disk says, it starts its OS from there or not. */
  powerOn(): Promise<void>;
  /** What is written on A's disk. */
  mark(): string;
  /** A person at A types `yado resume`. */
  resume(): void;
}

export async function faultyMove(changes: Changes): Promise<FaultyMove> {
  const bMemory = Array.from({ length: 100 }, (_, frame) => live(frame)); // the OS was there before
  const world = await move(withMemory(live, { bMemory, ...times, ...changes }));
  const { folder, a, b, claimPort } = world;
  const off = new Set<'A' | 'B'>();
  const desks: ClaimDesk[] = [];
  let copyWasOff = false;
  let isStartedAnew = false;
  let isOver = false;
  let doubt: Doubt | undefined;
  let aEnded = false;
  let bEnded = false;
  let report: HelperReport | undefined;
  void a.report.then(said => {
    report = said;
  });
  void a.ended.then(() => {
    aEnded = true;
  });
  void b.ended.then(() => {
    bEnded = true;
  });

  const has = (line: string): boolean => logOf(folder).includes(line);
  const granted = (): boolean =>
    existsSync(join(folder, 'heard')) && readFileSync(join(folder, 'heard')).includes(claimKey);
  const runsAtA = (): boolean => {
    if (off.has('A')) return isStartedAnew;
    if (!has('A freeze') || has('A unfreeze')) return true;
    return holdersOf(folder, 'image').length === 0; // the kernel has thawed it
  };
  const runsAtB = (): boolean => {
    if (copyWasOff || !has('copy wakes')) return false;
    // Looked at before the log: a copy that resets says so, and then lets go.
    const runs = has('copy unfreeze') || holdersOf(folder, 'held-by-copy').length === 0;
    return runs && !has('copy reset');
  };
  const owners = (): ('A' | 'B')[] => [
    ...(runsAtA() ? ['A' as const] : []),
    ...(runsAtB() ? ['B' as const] : []),
  ];

  const markFile = join(folder, 'disk-mark');
  const mark = (): string => (existsSync(markFile) ? readFileSync(markFile, 'utf8') : '');
  const clearMark = (): void => rmSync(markFile, { force: true });
  const isStandby = (): boolean => {
    if (off.has('B') || copyWasOff) return true;
    if (has('copy wakes')) return has('copy reset');
    return bEnded && (!has('B restore') || has('B reset'));
  };

  async function openDesk(desk: ClaimDesk): Promise<void> {
    desks.push(desk);
    for (const end = performance.now() + restMs; !isOver; await sleep(30)) {
      try {
        await desk.open(ip, claimPort);
        if (isOver) await desk.close(); // it was over before this one was open
        return;
      } catch (error) {
        // A helper that was killed a moment ago has its port still.
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || performance.now() > end) throw error;
      }
    }
  }

  /** The agent at B sees its helper die; here A's, which shares the channel, may live on. */
  async function copyDies(): Promise<void> {
    while (!isOver && !(runsAtB() && !has('copy unfreeze') && report === undefined)) await sleep(50);
  }

  /** As `runJob` of the agent: what the helper says, or what is done after one that says nothing. */
  async function listen(): Promise<YadoError | undefined> {
    // Its report may still be on the way when its end is told.
    const ended = a.ended.then(code => (code === 0 ? a.report.then(() => {}) : undefined));
    await Promise.race([a.report, ended, copyDies()]);
    if (off.has('A') || isOver) return undefined;
    if (report?.outcome === 'arrived') return undefined;
    if (report) {
      await a.ended;
      clearMark(); // as the disk class, before anything the OS writes goes through
      await openDesk(new ClaimDesk(refusal));
      return reasonSentence(report, story);
    }
    await rest('a grant, or one OS', () => granted() || owners().length === 1);
    if (granted() || runsAtB()) {
      if (aEnded) await openDesk(new ClaimDesk(grantOf(claimKey, 42, () => BigInt(Date.now()) * 1_000_000n)));
      await rest('the copy to run', runsAtB);
      if (!has('copy unfreeze')) await world.after('adopt').report;
      return undefined;
    }
    if (has('A freeze')) await world.after('back').report;
    clearMark();
    await openDesk(new ClaimDesk(refusal));
    return asYadoError(new Error('the frozen helper ended without a report (SIGKILL)'), 'a');
  }

  async function rest(what: string, holds: () => boolean): Promise<number> {
    let notYet = performance.now();
    for (const end = notYet + restMs; ; await sleep(30)) {
      const now = owners();
      if (now.length > 1) throw new Error(`two computers run the OS: ${logOf(folder).join(', ')}`);
      const looked = performance.now();
      if (holds()) return notYet;
      notYet = looked;
      if (performance.now() > end)
        throw new Error(
          `it did not come to this: ${what}; ${report ? `${report.outcome} ${report.reason} ${report.text}` : 'no report'}; ${now.join()}; ${logOf(folder).join(', ')}`,
        );
    }
  }

  /** As `prepare` of a standby: whose helper does not get as far as that refuses the OS, and A never begins. */
  async function tell(): Promise<YadoError | undefined> {
    if (b.frames.length > 0) return listen();
    a.kill();
    const said = await Promise.race([b.report, b.ended.then(() => undefined)]);
    const reason = said ? targetSentence(said, story) : 'the frozen helper ended without a report (SIGKILL)';
    return yadoError('targetRefused', { computer: 'b', reason });
  }
  const told = tell();
  told.catch(() => {});

  return {
    world,
    told,
    owners,
    rest,
    struck: point =>
      rest(`${point} strikes`, () => {
        const log = join(folder, 'kmsg');
        return existsSync(log) && readFileSync(log, 'utf8').includes(`fault ${point}:`);
      }),
    isStandby,
    powerOff: computer => {
      off.add(computer);
      if (computer === 'A') {
        a.kill();
        for (const pid of holdersOf(folder, 'image')) killQuietly(pid);
        return;
      }
      b.kill();
      // The one that would start the computer anew goes first.
      for (const pid of holdersOf(folder, 'held-by-copy').toReversed()) killQuietly(pid);
      copyWasOff = true;
    },
    comesUpAsStandby: () => off.delete('B'),
    powerOn: async () => {
      const state = mark();
      if (state !== 'leaving' && state !== 'left') {
        isStartedAnew = true;
        await openDesk(new ClaimDesk(refusal));
        return;
      }
      doubt = new Doubt({
        state,
        move: { epoch: 42, to: { name: 'b', address: ip }, key: claimKey },
        markLeft: () => writeFileSync(markFile, 'left'),
        clear: clearMark,
        ask: async () => {
          if (world.cable.isCut || off.has('B')) throw new Error('b does not answer');
          if (runsAtB()) return 'here';
          if (isStandby()) return 'nowhere';
          throw new Error('b does not answer');
        },
        say: () => {},
        everyMs: 50,
        now: () => BigInt(Date.now()) * 1_000_000n,
      });
      const desk = new ClaimDesk(doubt.answer);
      await openDesk(desk);
      void doubt.decided.then(async decision => {
        if (decision !== 'starts' || isOver) return;
        await desk.close();
        isStartedAnew = true;
        if (!isOver) await openDesk(new ClaimDesk(refusal));
      });
    },
    mark,
    resume: () => doubt?.resume(),
    async [Symbol.asyncDispose]() {
      isOver = true;
      doubt?.close();
      await Promise.all(desks.map(desk => desk.close()));
      await world[Symbol.asyncDispose]();
    },
  };
}
