import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedMark, userOf } from './shared-mark.ts';

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
  assert.deepEqual(JSON.parse(text ?? ''), { ...left, state: 'left', usedBy: 'b' });
  assert.equal(userOf(text), 'b');
  assert.equal(userOf(JSON.stringify(left)), undefined);
});

test('the computer that starts from it is still known when another one has left it', () => {
  const starts = { name: 'a', address: '192.0.2.1' };
  const [disk] = left.behind;
  const byB = { ...left, computer: { name: 'b', address: '192.0.2.2' }, behind: [{ ...disk, starts }] };
  assert.deepEqual(sharedMark(JSON.stringify(byB), 'crab', 8)?.starts, starts);
});

test('another disk: of another OS, of another time, not marked, or damaged', () => {
  assert.equal(sharedMark(JSON.stringify(left), 'lobster', 8), undefined);
  assert.equal(sharedMark(JSON.stringify(left), 'crab', 9), undefined);
  for (const text of [undefined, '', '{', '[]', 'null', JSON.stringify({ ...left, behind: 1 })])
    assert.equal(sharedMark(text, 'crab', 8), undefined);
  assert.equal(userOf('{"usedBy":1}'), undefined);
});
