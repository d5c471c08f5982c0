// Whole moves: the helper as A and as B on two fake kernels, over loopback. The copy on B is a child of A's helper that
// wakes up when B's kernel has restored the image. What holds: one owner, and the right one.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClaimDesk, refusalOf } from '../../src/agent/claim-desk.ts';
import { type FakeHelper, logOf, waitForLog } from './test/helpers.ts';
import {
  assertImage,
  type Changes,
  claimKey,
  ip,
  lateGhost,
  move,
  needsRoot,
  pfns,
  runsAt,
} from './test/world.ts';

test('a move: the OS runs at B, and only there', needsRoot, async () => {
  await using world = await move();
  const report = await world.a.report;
  await waitForLog(world.folder, 'copy unfreeze');
  assert.deepEqual([report.outcome, report.reason], ['arrived', 'none']);
  assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
  assert.deepEqual(logOf(world.folder), [
    'A freeze',
    'A create',
    'A clock right', // it has stood still while the image was made
    'B freeze',
    'B restore',
    'copy wakes',
    'copy clock right',
    'copy reseed',
    'copy free', // without it the thaw would do nothing
    'copy unfreeze',
  ]);
  assert.deepEqual(world.ran(), ['leave', 'serve', 'arrive', 'adopt']);
  await until(() => world.ghost() !== undefined); // it serves what was left at A
  assert.equal(readFileSync(join(world.folder, 'ghosts'), 'utf8').trim().split('\n').length, 1);
  for (const step of ['freeze', 'image', 'send', 'ready', 'restore', 'arrive', 'thaw'] as const)
    assert.ok(report.timesUs[step] >= 0 && report.timesUs[step] < 5_000_000, step);
  assert.ok(report.timesUs.send > 0);
  assertImage(world);
});

test(
  'a disk that is found by threads of the kernel is marked before the grant: B has all of the image by then',
  needsRoot,
  async () => {
    await using world = await move({ ghost: lateGhost });
    assert.equal((await world.a.report).outcome, 'arrived');
    await waitForLog(world.folder, 'copy unfreeze');
    const log = logOf(world.folder);
    assert.ok(log.indexOf('B freeze') < log.indexOf('A free') && log.includes('A free'), log.join(', '));
    assert.deepEqual(runsAt(log), ['B']);
  },
);

test('an image that leaves pages of zeros out arrives as if it had them', needsRoot, async () => {
  await using world = await move({ marks: true });
  assert.equal((await world.a.report).outcome, 'arrived');
  await waitForLog(world.folder, 'copy unfreeze');
  assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
  assertImage(world);
});

test('frames that the OS has given up may be missing at B, and are not in its image', needsRoot, async () => {
  const [inTheMidst, atTheEnd] = [
    { startPfn: 0x180, endPfn: 0x186 },
    { startPfn: 0x3b0, endPfn: 0x3bc },
  ];
  const without = pfns.filter(pfn => pfn >= atTheEnd.startPfn || (pfn >= 0x180 && pfn < 0x186));
  for (const marks of [false, true]) {
    await using world = await move({ marks, ramEnd: 0x3b0, givenUp: [inTheMidst, atTheEnd] });
    const report = await world.a.report;
    assert.deepEqual([report.outcome, report.text], ['arrived', '']);
    await waitForLog(world.folder, 'copy unfreeze');
    assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
    assertImage(world, without);
  }
});

test('claims and grants that are lost three times change nothing', needsRoot, async () => {
  await using world = await move({ aFaults: ['source.claim:lost=3', 'source.grant:lost=3'] });
  assert.equal((await world.a.report).outcome, 'arrived');
  await waitForLog(world.folder, 'copy unfreeze');
  assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
});

const returns: [what: string, changes: Changes, reason: string, frozenB: boolean][] = [
  [
    'B lies about its memory map, it has no RAM where the OS has pages',
    { ramEnd: 0x180 },
    'frameOutsideRam',
    false,
  ],
  ['B lies about its memory, it runs out', { bSettings: { failWrite: 300 } }, 'noMemory', false],
  ["B's kernel refuses the image", { bSettings: { restoreFails: true } }, 'restore', true],
  ['the copy never claims', { aFaults: ['copy.claim:lost=1000000'], claimMs: 1500 }, 'claimTimeout', true],
  ['a device cannot leave', { failing: 'leave' }, 'leave', false],
  ['a device cannot come back to be served', { failing: 'serve' }, 'serve', false],
];
for (const [what, changes, reason, frozenB] of returns) {
  test(`${what}: the OS goes on at A`, needsRoot, async () => {
    await using world = await move(changes);
    const report = await world.a.report;
    assert.deepEqual([report.outcome, report.reason], ['returned', reason]);
    const log = logOf(world.folder);
    assert.deepEqual(runsAt(log), ['A']);
    assert.ok(log.indexOf('A free') < log.indexOf('A unfreeze'));
    assert.ok(world.ran().includes('back'));
    assert.equal(world.ghost(), undefined); // gone before the thaw
    assert.ok(report.timesUs.return > 0 && report.timesUs.return < 5_000_000);
    assert.equal(log.includes('B freeze'), frozenB);
    if (changes.failing) assert.equal(report.operation, 0);
  });
}

test('cancelled at B, or B gone: the OS goes on at A', needsRoot, async () => {
  for (const [act, reasons] of [
    [(b: FakeHelper) => b.cancel(), ['cancelled']],
    [(b: FakeHelper) => b.kill(), ['linkLost']],
  ] as const) {
    await using world = await move({ aFaults: ['copy.claim:lost=1000000'], claimMs: 1500 });
    await waitForLog(world.folder, 'A freeze'); // who has shown no token yet is told nothing; else wherever A and B stand
    act(world.b);
    const report = await world.a.report;
    assert.equal(report.outcome, 'returned');
    assert.ok([...reasons, 'claimTimeout'].includes(report.reason), report.reason); // B may have been faster
    assert.deepEqual(runsAt(logOf(world.folder)), ['A']);
  }
});

test('a copy that claims after A took the OS back is refused and resets', needsRoot, async () => {
  mock.method(console, 'log', () => {});
  await using world = await move({ aFaults: ['copy.arrive:delay=3500'], claimMs: 1500 });
  const report = await world.a.report;
  assert.deepEqual([report.outcome, report.reason], ['returned', 'claimTimeout']);
  await world.a.ended;
  const desk = new ClaimDesk(refusalOf(epoch => (epoch === 42n ? claimKey : undefined)));
  await desk.open(ip, world.claimPort);
  await waitForLog(world.folder, 'copy reset');
  await desk.close();
  assert.deepEqual(runsAt(logOf(world.folder)), ['A']);
});

test(
  'a step of the arrival fails behind the grant: the others are taken all the same',
  needsRoot,
  async () => {
    await using world = await move({ failing: 'adopt' });
    const report = await world.a.report;
    assert.deepEqual([report.outcome, report.reason, report.operation], ['arrived', 'adopt', 0]);
    assert.deepEqual(world.ran(), ['leave', 'serve', 'arrive', 'adopt']);
  },
);

test('a device does not come back: the others do', needsRoot, async () => {
  await using world = await move({ failing: 'back', aFaults: ['copy.claim:lost=1000000'], claimMs: 300 });
  assert.equal((await world.a.report).outcome, 'returned');
  assert.ok(world.ran().includes('back'));
  assert.deepEqual(runsAt(logOf(world.folder)), ['A']);
});

test('the ghost is gone before the grant: the OS goes on at A', needsRoot, async () => {
  await using world = await move({ ghost: 'exit 1' });
  const report = await world.a.report;
  assert.deepEqual([report.outcome, report.reason], ['returned', 'ghost']);
  assert.deepEqual(runsAt(logOf(world.folder)), ['A']);
  assert.ok(world.ran().includes('back'));
});

test('the ghost dies after the grant: another one hears of the grant too', needsRoot, async () => {
  await using world = await move();
  assert.equal((await world.a.report).outcome, 'arrived');
  const file = join(world.folder, 'heard');
  const grants = () =>
    existsSync(file) ? readFileSync(file, 'latin1').split('\x77'.repeat(32)).length - 1 : 0;
  await until(() => grants() === 1 && world.ghost() !== undefined);
  const first = world.ghost() ?? 0;
  process.kill(first, 'SIGKILL');
  await until(() => grants() === 2 && world.ghost() !== undefined);
  assert.notEqual(world.ghost(), first);
  assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
});

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 5000; !holds(); await sleep(5))
    if (performance.now() > end) throw new Error('it did not come to that');
}

test('a copy that nobody answers asks on and does not run', needsRoot, async () => {
  await using world = await move({ aFaults: ['copy.arrive:delay=300'], claimMs: 5000 });
  await waitForLog(world.folder, 'copy wakes');
  world.a.kill(); // A is dead before it could grant
  await sleep(1500);
  const log = logOf(world.folder);
  assert.deepEqual(runsAt(log), []);
  assert.ok(!log.includes('copy reset'));
});
