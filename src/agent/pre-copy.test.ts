// How the agent answers the helper's rounds, and what is shown of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DowntimeWish } from '#core/precopy.ts';
import type { PreCopyRound } from '#wire/pre-copy.ts';
import { memoryToCopy, type PreCopyProgress, rounds, StandsTooLong } from './pre-copy.ts';

const pages = (megabytes: number): number => megabytes * 256;
const base: PreCopyRound = {
  round: 1,
  state: 'underWay',
  error: 0,
  pagesRecalled: 0,
  framesDone: 0,
  framesTotal: 1000,
  pagesSent: 0,
  roomPages: 10_000,
  wireBytes: 0,
};

function world(why?: string, wish?: DowntimeWish) {
  const said: string[] = [];
  const shown: PreCopyProgress[] = [];
  const lines: string[] = [];
  const pauses: [number, () => void][] = [];
  let time = 0;
  let wire = 0;
  const { listener, enough } = rounds(
    {
      usedBytes: 300 * 2 ** 20,
      parkBytes: 400 * 2 ** 20,
      wish,
      told: progress => shown.push(progress),
      again: () => said.push('again'),
      log: line => lines.push(line),
      now: () => time,
      later: (ms, work) => pauses.push([ms, work]),
    },
    why,
  );
  void enough.then(
    () => said.push('enough'),
    (error: unknown) => said.push(error instanceof StandsTooLong ? `no: ${error.message}` : String(error)),
  );
  const tell = async (ms: number, round: Partial<PreCopyRound>) => {
    time += ms;
    if (round.state === 'over') wire += (round.pagesSent ?? 0) * 4100;
    listener({ ...base, wireBytes: wire, ...round });
    await new Promise(resolve => setImmediate(resolve));
  };
  return { said, shown, lines, pauses, tell };
}

test('rounds until little has changed; shown while they go on', async () => {
  const { said, shown, lines, tell } = world();
  await tell(1000, { framesDone: 500, pagesSent: pages(100) });
  assert.deepEqual(shown.at(-1), { round: 1, bytesDone: 100 * 2 ** 20, bytesTotal: 200 * 2 ** 20 });
  await tell(1000, { state: 'over', framesDone: 1000, pagesSent: pages(280) });
  assert.deepEqual(said, ['again']);
  await tell(500, { round: 2, framesDone: 250, pagesSent: pages(10) });
  assert.deepEqual(shown.at(-1), { round: 2, bytesDone: 10 * 2 ** 20, bytesTotal: 40 * 2 ** 20 });
  await tell(500, { round: 2, state: 'over', framesDone: 1000, pagesSent: pages(12) });
  assert.deepEqual(said, ['again', 'enough']);
  assert.match(lines.join('\n'), /round 2: 13 MB in 1.0 s; freeze: little has changed/);
});

test('what packing has saved is told', async () => {
  const { lines, tell } = world();
  await tell(1000, { state: 'over', pagesSent: pages(280), wireBytes: 120e6 });
  await tell(1000, { round: 2, state: 'over', pagesSent: pages(20), wireBytes: 130e6 });
  assert.match(
    lines.join('\n'),
    /round 1: 294 MB, packed 120 MB, in 1.0 s.*\nround 2: 21 MB, packed 10 MB, in/,
  );
});

test('what the target has already is no part of the first round, nor is the time it looked for it', async () => {
  const { said, shown, lines, tell } = world();
  await tell(1000, { round: 0, framesDone: 500 });
  await tell(4000, { round: 0, framesDone: 1000 });
  assert.deepEqual(shown.at(-1), { round: 0, bytesDone: 0, bytesTotal: 300 * 2 ** 20 });
  await tell(500, { framesDone: 500, pagesSent: pages(10), pagesRecalled: pages(260) });
  assert.deepEqual(shown.at(-1), { round: 1, bytesDone: 10 * 2 ** 20, bytesTotal: 25 * 2 ** 20 });
  await tell(500, { state: 'over', framesDone: 1000, pagesSent: pages(20), pagesRecalled: pages(260) });
  assert.deepEqual(said, ['again']);
  assert.equal(lines[0], 'the target has 273 MB of it already, found in 5.0 s');
  assert.match(lines[1] ?? '', /round 1: 21 MB in 1.0 s/);
});

test('with a wish for the downtime a quiet moment is waited for', async () => {
  const { said, shown, lines, pauses, tell } = world(undefined, { maxMs: 3000, restMs: 1000 });
  await tell(3000, { state: 'over', pagesSent: pages(300) });
  await tell(3000, { round: 2, state: 'over', pagesSent: pages(290) });
  assert.deepEqual(said, ['again']);
  assert.match(lines.at(-1) ?? '', /wait: the OS changes .* a standstill of about 3.9 s/);
  assert.ok((shown.at(-1)?.waitsAtMs ?? 0) > 3500);
  const [[ms, next] = []] = pauses;
  assert.ok((ms ?? 0) > 1000);
  next?.();
  assert.deepEqual(said, ['again', 'again']);
  await tell(3000, { round: 3, state: 'over', pagesSent: pages(290) }); // what has changed in the pause
  await tell(300, { round: 4, state: 'over', pagesSent: pages(25) });
  assert.deepEqual(said, ['again', 'again', 'again', 'enough']);
});

test('when there is no quiet moment the move is given up, and when there can be none at once', async () => {
  const busy = world(undefined, { maxMs: 3000, restMs: 1000 });
  await busy.tell(3000, { state: 'over', pagesSent: pages(300) });
  for (let round = 2; round < 100 && !busy.said.at(-1)?.startsWith('no'); round++) {
    busy.pauses.shift()?.[1]();
    await busy.tell(5000, { round, state: 'over', pagesSent: pages(290) });
  }
  assert.equal(busy.said.at(-1), 'no: there was no quiet moment');
  const hopeless = world(undefined, { maxMs: 500, restMs: 1000 });
  await hopeless.tell(3000, { state: 'over', pagesSent: pages(300) });
  await hopeless.tell(3000, { round: 2, state: 'over', pagesSent: pages(2) });
  assert.equal(hopeless.said.at(-1), 'no: all but the sending alone takes longer');
});

test('no more room, memory that cannot be read, and a move without pre-copy: the freeze comes all the same', async () => {
  const full = world();
  await full.tell(9000, { state: 'over', pagesSent: pages(200), roomPages: 0 });
  assert.deepEqual(full.said, ['enough']);
  const forbidden = world();
  await forbidden.tell(1, { round: 1, state: 'impossible', error: 1 });
  assert.deepEqual(forbidden.said, ['enough']);
  assert.match(forbidden.lines[0] ?? '', /nothing is copied ahead: .*operation not permitted/);
  assert.match(forbidden.shown[0]?.without ?? '', /not permitted/);
  const unwanted = world('so it was asked for');
  await unwanted.tell(1, { round: 0, state: 'impossible' });
  assert.match(unwanted.lines[0] ?? '', /so it was asked for/);
});

test('what stands in the way is told', () => {
  const ram = [{ startPfn: 1, endPfn: 2 }];
  assert.deepEqual(memoryToCopy(ram, 1 << 30, false), { memory: [], why: 'so it was asked for' });
  assert.match(memoryToCopy(ram, 0, true).why ?? '', /no memory to spare/);
});
