// The stub's table: what the initramfs makes and what the agent puts beneath later hide the same sectors.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { markBytes } from './left-mark.ts';
import { tableOver } from './stub.ts';

test('the mark is hidden from the file system, every other sector lies where it lay', () => {
  const [hidden, rest, ...more] = tableOver('254:0', 1 << 20);
  assert.deepEqual(more, []);
  assert.deepEqual(hidden, { startSector: 0, sectorCount: markBytes / 512, type: 'zero', parameters: '' });
  assert.deepEqual(rest, { startSector: 2, sectorCount: 2046, type: 'linear', parameters: '254:0 2' });
});

test('the initramfs makes the same table', () => {
  const script = readFileSync('packaging/files/initramfs-local-premount', 'utf8');
  assert.match(script, /0 2 zero\\n2 %d linear %s 2\\n/);
});
