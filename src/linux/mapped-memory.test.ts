// Mapped memory: shared with the file, gone without a crash.
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MappedMemory } from './mapped-memory.ts';

test('what is written to mapped memory is in the file, and nothing is left of it once unmapped', () => {
  const directory = mkdtempSync(join(tmpdir(), 'yado-map-'));
  try {
    const path = join(directory, 'file');
    writeFileSync(path, Buffer.alloc(8192));
    const fd = openSync(path, 'r+');
    const memory = new MappedMemory(fd, 4096, { offset: 4096 });
    closeSync(fd);
    const words = new Uint32Array(memory.bytes.buffer);
    words[1] = 0x04030201;
    assert.deepEqual([...readFileSync(path).subarray(4096, 4104)], [0, 0, 0, 0, 1, 2, 3, 4]);
    memory[Symbol.dispose]();
    memory[Symbol.dispose]();
    assert.equal(memory.bytes.length, 0);
    assert.equal(words[1], undefined);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('memory of no file has an address and starts empty', () => {
  using memory = new MappedMemory(-1, 4096);
  assert.ok(memory.address > 0n);
  assert.equal(memory.bytes.length, 4096);
  assert.equal(memory.bytes[4095], 0);
});

test('memory that cannot be mapped is an error', () => {
  assert.throws(
    () => new MappedMemory(999_999, 4096, { what: 'the screen' }),
    /the screen: bad file descriptor/,
  );
});
