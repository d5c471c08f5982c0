// The interpreter of plans: what each step does, how it fails, and what comes after it.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeLinkChange } from '#linux/rtnetlink.ts';
import {
  encodePlan,
  findCardStep,
  foundCard,
  ioctlStep,
  netlinkCardStep,
  netlinkStep,
  reclaimStep,
  sendPacketStep,
  waitPathStep,
  waitTextStep,
  writeFileStep,
} from '#wire/plan.ts';
import { temporaryFolder } from './test/compile.ts';
import { answers } from './test/harness.ts';

const folder = temporaryFolder();

test('a plan runs in order, stops at the first failure and says which', () => {
  const [first, second] = [join(folder, 'first'), join(folder, 'second')];
  for (const file of [first, second]) writeFileSync(file, '--');
  const missing = join(folder, 'missing', 'file');
  const plan = (mayFail: boolean): Buffer =>
    encodePlan([
      writeFileStep('a', first, '11'),
      waitPathStep('b', first, 1000),
      writeFileStep('c', missing, 'x', { mayFail }),
      waitPathStep('d', missing, 1, { mayFail }),
      ioctlStep('e', '/dev/null', 0x5401, Buffer.alloc(64), { mayFail }), // TCGETS: ENOTTY
      writeFileStep('f', second, '22'),
    ]);
  const ENOENT = 2;
  assert.deepEqual(answers([['R', plan(false)]]), [[1, -1, ENOENT, 2]]);
  assert.deepEqual(
    [first, second].map(file => readFileSync(file, 'utf8')),
    ['11', '--'],
  );
  assert.deepEqual(answers([['R', plan(true)]]), [[1, 0, 0, -1]]);
  assert.equal(readFileSync(second, 'utf8'), '22');
  const ETIMEDOUT = 110;
  const ENOTTY = 25;
  assert.deepEqual(answers([['R', encodePlan([waitPathStep('w', missing, 20)])]]), [[1, -1, ETIMEDOUT, 0]]);
  assert.deepEqual(answers([['R', encodePlan([ioctlStep('i', '/dev/null', 0x5401, Buffer.alloc(64))])]]), [
    [1, -1, ENOTTY, 0],
  ]);
});

test('memory is reclaimed until so much is in use; where the kernel gives none the plan ends', () => {
  const file = join(folder, 'reclaim');
  writeFileSync(file, '');
  const reclaim = (path: string, mostBytes: number) => encodePlan([reclaimStep('push', path, mostBytes)]);
  assert.deepEqual(answers([['R', reclaim(file, 2 ** 60)]]), [[1, 0, 0, -1]]);
  assert.equal(readFileSync(file, 'utf8'), '', 'little is in use: the kernel is not asked');
  const [ENOENT, ENOMEM] = [2, 12];
  assert.deepEqual(answers([['R', reclaim(join(folder, 'missing', 'file'), 1)]]), [[1, -1, ENOENT, 0]]);
  assert.deepEqual(answers([['R', reclaim(file, 1)]]), [[1, -1, ENOMEM, 0]]);
  assert.equal(readFileSync(file, 'utf8'), String(64 * 2 ** 20), 'it is asked for a piece at a time');
});

test('waits for a text at the beginning of a file', () => {
  const file = join(folder, 'carrier');
  writeFileSync(file, '1\n');
  const ETIMEDOUT = 110;
  assert.deepEqual(
    answers([
      ['R', encodePlan([waitTextStep('w', file, '1', 1000)])],
      ['R', encodePlan([waitTextStep('w', file, '0', 20)])],
      ['R', encodePlan([waitTextStep('w', join(folder, 'missing'), '1', 20)])],
      ['R', encodePlan([waitTextStep('w', file, '1\nand more', 20)])],
    ]),
    [[1, 0, 0, -1], ...Array(3).fill([1, -1, ETIMEDOUT, 0])],
  );
});

test('finds a card by its place, and speaks of it from then on', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const find = (place: string) => findCardStep('find', place, 20);
  const up = (is: boolean) => netlinkCardStep('switch', encodeLinkChange(foundCard, { up: is }));
  const say = sendPacketStep('say', foundCard, Buffer.alloc(60, 0xff));
  const ENODEV = 19;
  const ENETDOWN = 100;
  const ETIMEDOUT = 110;
  assert.deepEqual(
    answers(
      [
        ['R', encodePlan([up(true)])], // none was found yet
        ['R', encodePlan([find('virtual/net'), up(true), say])], // every network has a loopback there
        ['R', encodePlan([up(false), say])],
        ['R', encodePlan([find('0000:00:05.0')])],
      ],
      ['unshare', '--net', '--mount', 'sh', '-c', 'mount -t sysfs sys /sys && exec "$0"'],
    ),
    [
      [1, -1, ENODEV, 0],
      [1, 0, 0, -1],
      [1, -1, ENETDOWN, 1],
      [1, -1, ETIMEDOUT, 0],
    ],
  );
});

test('netlink and packets, in a network of their own', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, () => {
  const lo = 1;
  const up = encodePlan([
    netlinkStep('switch on lo', encodeLinkChange(lo, { up: true })),
    sendPacketStep('say', lo, Buffer.alloc(60, 0xff)),
    netlinkStep('no such link', encodeLinkChange(999, { up: true }), { mayFail: true }),
    netlinkStep('no such link', encodeLinkChange(999, { up: true })),
  ]);
  const down = encodePlan([
    netlinkStep('switch off lo', encodeLinkChange(lo, { up: false })),
    sendPacketStep('say', lo, Buffer.alloc(60, 0xff)), // ENETDOWN: the step before has taken place
  ]);
  const ENODEV = 19;
  const ENETDOWN = 100;
  assert.deepEqual(
    answers(
      [
        ['R', up],
        ['R', down],
      ],
      ['unshare', '--net'],
    ),
    [
      [1, -1, ENODEV, 3],
      [1, -1, ENETDOWN, 1],
    ],
  );
});
