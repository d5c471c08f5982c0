// The matrix as a table: names, expectations and groups. Nothing is started here.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preflightChecks } from '#core/preflight-checks.ts';
import { groupsOf, pairs, pairsNamed, scenarioOf } from './pairs.ts';
import { describePair, markdown } from './report.ts';

test('at least 24 pairs, each with a name of its own, none like another', () => {
  assert.ok(pairs.length >= 24);
  assert.equal(new Set(pairs.map(each => each.name)).size, pairs.length);
  assert.equal(new Set(pairs.map(each => JSON.stringify([each.a, each.b]))).size, pairs.length);
});

test('whatever refuses is a check that can refuse', () => {
  const checks = new Map(preflightChecks.map(each => [each.id, each.severity]));
  for (const { name, expected } of pairs)
    if (expected !== 'moves') assert.notEqual(checks.get(expected.refusedBy) ?? 'note', 'note', name);
});

test('an IDE disk needs the chipset of a pc', () => {
  for (const { name, a, b } of pairs)
    for (const spec of [a, b]) assert.ok(spec.disk !== 'ide' || spec.machine === 'pc', name);
});

test('pairs by name, and those of one A together', () => {
  assert.throws(() => pairsNamed(['nvme', 'floppy']), /no pair "floppy"/);
  assert.deepEqual(
    groupsOf(pairsNamed(['nvme-both', 'nvme', 'usb'])).map(group => group.map(each => each.name)),
    [['nvme', 'nvme-both'], ['usb']],
  );
  assert.equal(groupsOf(pairs).flat().length, pairs.length);
  assert.deepEqual(
    scenarioOf(pairsNamed(['nvme'])[0]!).computers.map(each => each.name),
    ['a', 'b'],
  );
});

test('the table says what was expected, what came of it, and why', () => {
  const [pair] = pairsNamed(['nvme']);
  const result = {
    ...describePair(pair!),
    result: 'failed',
    isRight: false,
    there: { downtimeMs: 8120, silenceMs: 6000 },
    reason: 'one\nor | two',
    notes: [],
    seconds: 1,
  } as const;
  const text = markdown([result]);
  assert.match(text, /\| nvme \| pc, virtio-net, std display, nvme disk, 1536 MiB, 2 CPUs \|/);
  assert.match(text, /\| moves \| \*\*failed\*\* \| 8\.1 s \(6\.0 s\) \| {2}\| one or \/ two \|/);
});
