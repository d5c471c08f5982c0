// Fault points as a program in TypeScript has them: only what is in the table can be armed, and each strikes once.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { armedFaults, FaultPoints } from './faults.ts';

mock.method(console, 'log', () => {});

test('what is written in the file is armed, and a name that is not in the table is refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'yado-faults-'));
  const file = join(folder, 'faults');
  assert.deepEqual(armedFaults(file), []);
  writeFileSync(file, 'source.image:delay=300,copy.arrive:crash\n');
  assert.deepEqual(armedFaults(file), ['source.image:delay=300', 'copy.arrive:crash']);
  for (const wrong of ['source.image', 'source.imaqe:error', 'source.image:lost', 'toString:crash']) {
    writeFileSync(file, wrong);
    assert.throws(() => armedFaults(file), /no fault point/, wrong);
  }
  rmSync(folder, { recursive: true });
});

test('a step fails once, and is late once', async () => {
  const points = new FaultPoints(['ghost.disk:error', 'ghost.start:delay=60']);
  await assert.rejects(points.at('ghost.disk'), /ghost.disk:error/);
  await points.at('ghost.disk');
  const began = performance.now();
  await points.at('ghost.start');
  assert.ok(performance.now() - began > 50);
  await points.at('ghost.start');
  await points.at('ghost.alive');
});

test('a message that is lost gets no answer, the one behind it does', async () => {
  const points = new FaultPoints(['ghost.alive:lost=2']);
  for (let left = 2; left > 0; left--) {
    const answer = points.at('ghost.alive').then(() => 'answered');
    assert.equal(await Promise.race([answer, sleep(20, 'nothing')]), 'nothing');
  }
  await points.at('ghost.alive');
});
