// The steps for a card that a plan finds: in their order, each about that card and no other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planFlagMayFail, planOps } from '#wire/frames.ts';
import { encodePlan } from '#wire/plan.ts';
import { findAnew, foundPort, isFound, waitForLink } from './new-card.ts';

const port = { index: 2, name: 'ens5' };

/** Kind and flags of each operation. */
function operations(plan: Buffer): [string | undefined, number][] {
  const names = new Map(Object.entries(planOps).map(([name, { number }]) => [number as number, name]));
  const found: [string | undefined, number][] = [];
  for (let at = 0; at < plan.length; at += 8 + plan.readUInt32LE(at + 4))
    found.push([names.get(plan.readUInt16LE(at)), plan.readUInt16LE(at + 2)]);
  return found;
}

test('scan, find by the place, and call it as the one before', () => {
  const plan = findAnew('0000:01:00.0', port);
  assert.deepEqual(
    operations(encodePlan(plan)).map(([name]) => name),
    ['writeFile', 'writeFile', 'writeFile', 'writeFile', 'findCard', 'netlinkCard'],
  );
  // No card but this gets a driver: that of another may wait for its firmware, and the OS with it.
  assert.deepEqual(
    plan.slice(0, 4).map(
      ({ bytes }) =>
        Buffer.from(bytes)
          .toString('latin1')
          .match(/\/sys.*$/)?.[0],
    ),
    [
      '/sys/bus/pci/drivers_autoprobe\x000',
      '/sys/bus/pci/rescan\x001',
      '/sys/bus/pci/drivers_probe\x000000:01:00.0',
      '/sys/bus/pci/drivers_autoprobe\x001',
    ],
  );
  assert.match(plan[4]?.label ?? '', /0000:01:00\.0$/);
  assert.ok(Buffer.from(plan[5]?.bytes ?? []).includes('ens5\0'));
});

test('on the way back no step stops the others, and no link is no failure', () => {
  const plan = [...findAnew('0000:01:00.0', port, { mayFail: true }), waitForLink(port)];
  assert.ok(operations(encodePlan(plan)).every(([, flags]) => flags === planFlagMayFail));
  assert.deepEqual([isFound(port), isFound(foundPort(port)), foundPort(port).name], [false, true, 'ens5']);
});
