// Plans as bytes. That the helper takes what is encoded here is tested beside the helper.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planOps } from '#wire/frames.ts';
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

const header = (op: keyof typeof planOps, flags: number, length: number): number[] => [
  ...[planOps[op].number, 0], // operation
  ...[flags, 0], // flags
  ...[length, 0, 0, 0], // payload length
];
const text = (value: string): number[] => [...Buffer.from(value)];

test('write a file', () => {
  const { label, bytes } = writeFileStep('switch it off', '/sys/x', '1');
  assert.equal(label, 'switch it off');
  assert.deepEqual([...bytes], [...header('writeFile', 0, 8), ...text('/sys/x'), 0, ...text('1')]);
});

test('a step that may fail says so in its flags', () => {
  const { bytes } = writeFileStep('try', '/x', '', { mayFail: true });
  assert.deepEqual([...bytes], [...header('writeFile', 1, 3), ...text('/x'), 0]);
});

test('an ioctl: request, path, buffer', () => {
  const { bytes } = ioctlStep('hold', '/dev/d', 0xc138fd06, Uint8Array.of(9, 8));
  const request = [0x06, 0xfd, 0x38, 0xc1, 0, 0, 0, 0];
  assert.deepEqual([...bytes], [...header('ioctl', 0, 17), ...request, ...text('/dev/d'), 0, 9, 8]);
});

test('a netlink message after its protocol', () => {
  const { bytes } = netlinkStep('link', Uint8Array.of(1, 2, 3));
  assert.deepEqual([...bytes], [...header('netlink', 0, 7), 0, 0, 0, 0, 1, 2, 3]);
});

test('wait for a path, send a packet', () => {
  assert.deepEqual(
    [...waitPathStep('wait', '/y', 258).bytes],
    [...header('waitPath', 0, 7), 2, 1, 0, 0, ...text('/y'), 0],
  );
  assert.deepEqual(
    [...sendPacketStep('say', 3, Uint8Array.of(255)).bytes],
    [...header('sendPacket', 0, 5), 3, 0, 0, 0, 255],
  );
});

test('reclaim until so much is in use', () => {
  const { bytes } = reclaimStep('push', '/r', 0x1_0000_0002);
  assert.deepEqual([...bytes], [...header('reclaim', 0, 11), 2, 0, 0, 0, 1, 0, 0, 0, ...text('/r'), 0]);
});

test('a card that is found by its place', () => {
  const place = text('/0000:00:05.0/');
  assert.deepEqual(
    [...findCardStep('find', '0000:00:05.0', 258).bytes],
    [...header('findCard', 0, 19), 2, 1, 0, 0, ...place, 0],
  );
  const index = [0xfe, 0xff, 0xff, 0x7f];
  assert.deepEqual(
    [...netlinkCardStep('link', Uint8Array.of(1, 2, ...index, 3)).bytes],
    [...header('netlinkCard', 0, 11), 2, 0, 0, 0, 1, 2, ...index, 3],
  );
  for (const message of [
    [1, 2],
    [...index, ...index],
  ])
    assert.throws(() => netlinkCardStep('link', Uint8Array.from(message)), /"link" .* exactly once/);
  assert.deepEqual(
    [...sendPacketStep('say', foundCard, Uint8Array.of(7)).bytes.subarray(8)],
    [0, 0, 0, 0, 7],
  );
  assert.deepEqual(
    [...waitTextStep('wait', '/y', '1', 258).bytes],
    [...header('waitText', 0, 8), 2, 1, 0, 0, ...text('/y'), 0, ...text('1')],
  );
});

test('a plan is its steps, one after the other', () => {
  const first = writeFileStep('a', '/a', '1');
  const second = writeFileStep('b', '/b', '2');
  assert.deepEqual(encodePlan([first, second]), Buffer.concat([first.bytes, second.bytes]));
  assert.equal(encodePlan([]).length, 0);
});
