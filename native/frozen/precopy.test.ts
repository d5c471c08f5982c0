// Memory copied ahead: on two fake kernels, with files in the place of /proc/kcore and /proc/kpageflags. Whatever was
// copied when, the image at B is that of A, byte for byte; before the word to freeze nothing is stopped.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { frameTypes, pageBytes } from '#wire/frames.ts';
import { decodePreCopy, type PreCopyRound } from '#wire/pre-copy.ts';
import { logOf, waitForLog } from './test/helpers.ts';
import { patternPage } from './test/image.ts';
import {
  dataAt,
  freeFrom,
  junkBytes,
  live,
  memory,
  withMemory,
  writeFlags,
  writeMemory,
} from './test/memory.ts';
import {
  assertImage,
  type Changes,
  mailboxAt,
  move,
  needsRoot,
  pages,
  pfns,
  runsAt,
  type World,
} from './test/world.ts';

const roundsOf = (world: World): PreCopyRound[] =>
  world.a.frames
    .filter(frame => frame.type === frameTypes.preCopy.number)
    .map(frame => decodePreCopy(frame.arg, frame.payload))
    .filter(round => round.state !== 'underWay');

/** Frames of the image that are neither empty nor the mailbox. */
const full = (from: number, to: number): number =>
  pfns.filter(
    (_, frame) =>
      frame >= from &&
      frame < to &&
      frame !== mailboxAt - dataAt &&
      !pages[dataAt + frame]!.every(byte => byte === 0),
  ).length;

test('one round: what has not changed is not sent again, and the image is whole', needsRoot, async () => {
  await using world = await move(withMemory(live));
  const report = await world.a.report;
  await waitForLog(world.folder, 'copy unfreeze');
  assert.deepEqual([report.outcome, report.reason], ['arrived', 'none']);
  assertImage(world);
  const changed = pfns.filter((_, frame) => frame < freeFrom && frame % 10 === 3 && frame % 4 !== 0).length;
  assert.equal(report.referencedPages, full(0, freeFrom) - changed);
  assert.equal(report.rounds, 1);
  const [round] = roundsOf(world);
  assert.deepEqual([round?.framesDone, round?.framesTotal], [700, 700]);
  assert.ok(report.preCopyBytes > 400 * pageBytes);
  const afterFreeze = report.wireBytes - report.preCopyBytes;
  assert.ok(afterFreeze < (changed + 50 + 10) * pageBytes, `${afterFreeze} bytes`);
  assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
});

test('more rounds: pages that change are sent again, in the same slots', needsRoot, async () => {
  let world: World | undefined;
  await using made = await move(
    withMemory(frame => patternPage(200_000 + frame), {
      aSettings: {
        decide: ({ round }) => {
          // Everything changes after the first round, a part after the second.
          if (world) writeMemory(world.folder, round === 1 ? live : frame => pages[dataAt + frame]!);
          return round < 4 ? 'again' : 'freeze';
        },
      },
    }),
  );
  world = made;
  const report = await made.a.report;
  assert.deepEqual([report.outcome, report.rounds], ['arrived', 4]);
  const sent = roundsOf(made).map(round => round.pagesSent);
  assert.equal(sent[0], freeFrom); // free frames are not looked at
  assert.ok((sent[1] ?? 0) < freeFrom && (sent[1] ?? 0) > 400); // no page that has become empty
  assert.ok((sent[2] ?? 0) > 30 && (sent[2] ?? 0) < 80, `${sent[2]}`);
  assert.equal(sent[3], 0);
  assert.equal(report.referencedPages, full(0, freeFrom));
  assertImage(made);
});

test('a target with little room: the rest is sent with the image', needsRoot, async () => {
  await using world = await move(withMemory(live, { parkPages: 100 }));
  const report = await world.a.report;
  assert.equal(report.outcome, 'arrived');
  assert.equal(roundsOf(world)[0]?.roomPages, 0);
  assert.ok(report.referencedPages > 50 && report.referencedPages <= 100);
  assertImage(world);
});

test('a page is known in whatever frame it comes', needsRoot, async () => {
  // One frame holds what frames 1 and 2 of the image will hold; memory is otherwise of no use.
  await using world = await move(
    withMemory(frame =>
      frame === 500 ? pages[dataAt + 1]! : frame === 501 ? pages[dataAt + 2]! : patternPage(9_999),
    ),
  );
  const report = await world.a.report;
  assert.deepEqual([report.outcome, report.referencedPages], ['arrived', 2]);
  assertImage(world);
});

test('packed, the image is the same and less goes over the wire', needsRoot, async () => {
  await using world = await move(withMemory(live, { packs: true }));
  const report = await world.a.report;
  assert.deepEqual([report.outcome, report.reason], ['arrived', 'none']);
  assert.ok(report.preCopyBytes < 300 * pageBytes, `${report.preCopyBytes} bytes`);
  assertImage(world);
});

test('equal pages are sent once', needsRoot, async () => {
  await using world = await move(withMemory(frame => pages[dataAt + (frame % 2 ? 1 : 2)]!));
  const report = await world.a.report;
  assert.deepEqual(
    [report.outcome, report.referencedPages, roundsOf(world)[0]?.pagesSent],
    ['arrived', 2, 2],
  );
  assertImage(world);
});

test('memory that changes altogether in every round costs no more room', needsRoot, async () => {
  let world: World | undefined;
  await using made = await move(
    withMemory(frame => patternPage(1000 + frame), {
      aSettings: {
        decide: ({ round }) => {
          if (world)
            writeMemory(world.folder, frame =>
              round === 5 ? live(frame) : patternPage(1000 * (round + 1) + frame),
            );
          return round < 6 ? 'again' : 'freeze';
        },
      },
    }),
  );
  world = made;
  const report = await made.a.report;
  assert.deepEqual([report.outcome, report.rounds], ['arrived', 6]);
  assert.deepEqual(
    new Set(
      roundsOf(made)
        .slice(0, 5)
        .map(round => round.pagesSent),
    ),
    new Set([freeFrom]),
  );
  assert.ok(report.referencedPages > 300);
  assertImage(made);
});

const without: [what: string, changes: Changes, rounds: number][] = [
  ['nobody asks for it', { memory: [], parkPages: 700 }, 0],
  ['the target holds nothing', withMemory(live, { parkPages: 0 }), 0],
  ['/proc/kcore cannot be opened', { memory, parkPages: 700 }, 0],
  [
    '/proc/kpageflags cannot be opened',
    withMemory(live, { prepare: folder => writeMemory(folder, live) }),
    0,
  ],
  [
    'memory ends too early',
    withMemory(live, {
      prepare: folder => {
        writeFlags(folder);
        writeFileSync(join(folder, 'kcore'), Buffer.alloc(junkBytes));
      },
    }),
    1,
  ],
];
for (const [what, changes, rounds] of without) {
  test(`without pre-copy the move goes on: ${what}`, needsRoot, async () => {
    await using world = await move(changes);
    const report = await world.a.report;
    assert.equal(report.outcome, 'arrived');
    assert.equal(report.rounds, rounds);
    assert.deepEqual([report.referencedPages, roundsOf(world)[0]?.state], [0, 'impossible']);
    assertImage(world);
  });
}

test('memory that cannot be read half way: what was copied until then counts', needsRoot, async () => {
  await using world = await move(
    withMemory(live, {
      prepare: folder => {
        writeMemory(folder, live);
        writeFlags(folder);
        const whole = readFileSync(join(folder, 'kcore'));
        writeFileSync(join(folder, 'kcore'), whole.subarray(0, junkBytes + 360 * pageBytes)); // 60 frames of the first piece
      },
    }),
  );
  const report = await world.a.report;
  assert.equal(report.outcome, 'arrived');
  assert.equal(roundsOf(world)[0]?.state, 'impossible');
  assertImage(world);
});

test('cancelled, or the agent gone, while memory is copied: nothing was stopped', needsRoot, async () => {
  await using cancelled = await move(withMemory(live, { aSettings: { decide: () => 'cancel' } }));
  const report = await cancelled.a.report;
  assert.deepEqual([report.outcome, report.reason, report.timesUs.freeze], ['returned', 'cancelled', 0]);
  assert.equal((await cancelled.b.report).reason, 'aborted');
  assert.deepEqual(logOf(cancelled.folder), []);
  assert.deepEqual(cancelled.ran(), []);

  await using alone = await move(withMemory(live, { aSettings: { decide: () => 'nothing' } }));
  await alone.a.told;
  alone.a.hangUp();
  assert.equal(await alone.a.ended, 0);
  assert.equal((await alone.b.report).reason, 'aborted');
  assert.deepEqual([logOf(alone.folder), alone.ran()], [[], []]);
});

test(
  'the target gone, or cancelled there, while memory is copied: nothing was stopped',
  needsRoot,
  async () => {
    for (const act of ['cancel', 'kill'] as const) {
      await using world = await move(withMemory(live, { aSettings: { decide: () => 'nothing' } }));
      await world.a.told;
      world.b[act]();
      const report = await world.a.report;
      assert.equal(report.outcome, 'returned');
      assert.ok(['cancelled', 'linkLost'].includes(report.reason), report.reason);
      assert.deepEqual([logOf(world.folder), world.ran()], [[], []]);
    }
  },
);

test('while the agent makes up its mind the target hears that the source is alive', needsRoot, async () => {
  await using world = await move(
    withMemory(live, { aSettings: { decide: () => 'nothing' }, targetReadyMs: 2500 }),
  );
  await world.a.told;
  await new Promise(resolve => setTimeout(resolve, 4000)); // longer than B waits for anything
  world.a.say('freeze');
  const { outcome, reason } = await world.a.report;
  assert.deepEqual([outcome, reason], ['arrived', 'none']);
});
