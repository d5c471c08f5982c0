// The comparison with other ways of moving: which runs are meant, the lower bound, and what the pictures show.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runsOf } from '../bench/compare/main.ts';
import { barPicture, pointPicture } from '../bench/compare/plot.ts';
import { boundMs } from '../bench/compare/report.ts';
import { middle, type Result } from '../bench/compare/result.ts';

const result: Result = {
  method: 'criu',
  workload: 'idle',
  measuredAt: '2026-01-01T00:00:00.000Z',
  ramMiB: 1536,
  downtimeMs: 900,
  connectionLost: false,
  partsMs: { dump: 500 },
  totalMs: 4000,
  wireBytes: 1,
  cpuSeconds: 1,
  pace: '',
  hostLoad: 0,
};

test('runs are named by method, by method and workload, or not at all', () => {
  assert.deepEqual(runsOf(['criu:idle']), [{ method: 'criu', workload: 'idle' }]);
  assert.ok(runsOf(['hibernate']).length >= 2);
  const all = runsOf([]);
  for (const method of ['yadokari', 'stop-and-copy', 'criu', 'hibernate', 'qemu'])
    assert.ok(all.some(run => run.method === method && run.workload === 'idle'));
  assert.throws(() => runsOf(['xen']), /no way of moving "xen"/);
  assert.throws(() => runsOf(['criu:chess']), /no workload "chess"/);
});

test('the lower bound is the copy and the sending, one after the other', () => {
  const told = { ...result, imageBytes: 2e9, frozenBytes: 1e8 };
  assert.equal(boundMs(told, { copyRate: 1000, sendRate: 100 }), 3000);
  assert.equal(boundMs(result, { copyRate: 1000, sendRate: 100 }), undefined);
  assert.equal(boundMs(told, undefined), undefined);
});

test('of several runs the middle one is shown', () => {
  const runs = [700, 3000, 900].map(downtimeMs => ({ ...result, downtimeMs }));
  assert.equal(middle(runs).downtimeMs, 900);
});

test('what takes longer is drawn further to the right', () => {
  const row = (label: string, value: number) => ({ label, parts: [{ name: 'all', value }] });
  const rows = [row('quick', 0.3), row('slow', 7)];
  const points = pointPicture('title', 's', [{ title: 'idle', rows }]);
  const [quick, slow] = [...points.matchAll(/cx="([\d.]+)"/g)].map(([, x]) => Number(x));
  assert.ok(quick! < slow!);
  const bars = barPicture('title & more', 's', [{ title: 'idle', rows }]);
  assert.match(bars, /title &amp; more/);
  const widths = [...bars.matchAll(/<rect x="150\.0" y="\d+" width="([\d.]+)"/g)].map(([, wide]) =>
    Number(wide),
  );
  assert.equal(widths.length, 2);
  assert.ok(widths[0]! < widths[1]!);
});
