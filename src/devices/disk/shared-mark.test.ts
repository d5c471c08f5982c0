import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMark } from './left-mark.ts';
import { isMarkedElsewhere, sharedMark, userOf } from './shared-mark.ts';

const left = {
  ...{ osId: 'crab', epoch: 8, state: 'leaving', nic: '52:54:00:00:01:01' },
  computer: { name: 'a', address: '192.0.2.1' },
  move: { epoch: 8, to: { name: 'b', address: '192.0.2.2' }, key: 'k' },
  behind: [{ kind: 'disk', device: 'disk0', place: { pciAddress: '0000:00:06.0', identity: 'i1' } }],
};

test('a disk with the mark of just now is the disk that was left', () => {
  const shared = sharedMark(JSON.stringify(left), 'crab', 8);
  assert.deepEqual(shared?.starts, { ...left.computer, nic: left.nic });
  const text = shared?.usedBy('b');
  assert.deepEqual(JSON.parse(text ?? ''), { ...left, state: 'left', starts: shared?.starts, usedBy: 'b' });
  assert.equal(userOf(text), 'b');
  assert.equal(userOf(JSON.stringify(left)), undefined);
});

test('the computer that starts from it is still known when another one has left it', () => {
  const starts = { name: 'a', address: '192.0.2.1' };
  const byB = { ...left, computer: { name: 'b', address: '192.0.2.2' }, starts };
  assert.deepEqual(sharedMark(JSON.stringify(byB), 'crab', 8)?.starts, starts);
});

test('who has served it leaves the mark alone that is written elsewhere, or was taken away there', () => {
  const starts = left.computer;
  const used = sharedMark(JSON.stringify(left), 'crab', 8)?.usedBy('b');
  assert.ok(isMarkedElsewhere(used, undefined));
  assert.ok(isMarkedElsewhere(undefined, starts));
  assert.ok(!isMarkedElsewhere(JSON.stringify(left), undefined), 'it has followed: what is here is old');
  assert.ok(!isMarkedElsewhere(undefined, undefined));
});

test('there is room for all of it in a mark', () => {
  const [name, nic] = ['n'.repeat(32), left.nic];
  const computer = { name, address: '192.168.100.100' };
  const key = 'k'.repeat(43);
  const place = { pciAddress: '0000:00:06.0', identity: '0123456789abcdef', partition: 12 };
  const mark = {
    ...{ osId: name, epoch: 1795744589, state: 'leaving', computer, nic },
    move: { epoch: 1795744589, to: computer, key },
    behind: [{ kind: 'disk', device: 'disk0', place, starts: { ...computer, nic } }],
    starts: { ...computer, nic },
  };
  assert.ok(encodeMark(sharedMark(JSON.stringify(mark), name, 1795744589)?.usedBy(name) ?? ''));
});

test('another disk: of another OS, of another time, not marked, or damaged', () => {
  assert.equal(sharedMark(JSON.stringify(left), 'lobster', 8), undefined);
  assert.equal(sharedMark(JSON.stringify(left), 'crab', 9), undefined);
  for (const text of [undefined, '', '{', '[]', 'null', JSON.stringify({ ...left, starts: 1 })])
    assert.equal(sharedMark(text, 'crab', 8), undefined);
  assert.equal(userOf('{"usedBy":1}'), undefined);
});
