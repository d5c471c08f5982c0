// What people read: tables, progress, dry runs, errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { downtimeOf } from '#core/downtime.ts';
import { yadoError } from '#core/errors.ts';
import type { Progress } from '#core/progress.ts';
import { newEventReader } from './event-stream.ts';
import {
  renderDevices,
  renderError,
  renderHistory,
  renderMoved,
  renderProgress,
  renderProgressLine,
  renderStatus,
  renderWhere,
} from './render.ts';

const MiB = 1024 * 1024;
const progress: Progress = {
  id: '1',
  source: 'a',
  target: 'b',
  phase: 'send',
  bytesDone: 59 * MiB,
  bytesTotal: 236 * MiB,
  bytesPerSecond: 30 * MiB,
  etaMs: 5900,
  elapsedMs: 4000,
};

test('the device status table looks like Fig. 6', () => {
  const table = renderDevices([
    {
      device: 'display0',
      class: 'display',
      osType: 'VGA A',
      actualType: 'VGA B',
      way: 'converted',
      items: [
        { item: 'mode', state: '1280x1024, 65536 colours' },
        { item: 'cursor', state: '3,4' },
      ],
    },
    { device: 'disk0', class: 'disk', osType: 'dm', actualType: 'nbd', way: 'remote', items: [] },
  ]);
  assert.equal(
    table,
    [
      'DEVICE    OS TYPE  ACTUAL TYPE  WAY        ITEM    STATE',
      'display0  VGA A    VGA B        converted  mode    1280x1024, 65536 colours',
      '                                           cursor  3,4',
      'disk0     dm       nbd          remote',
      '',
    ].join('\n'),
  );
});

test('the device location table looks like Fig. 7, and names cannot steer the terminal', () => {
  assert.equal(
    renderWhere([{ device: 'printer0', computer: 'a\u001b[2J', epoch: 2 }]),
    'DEVICE    COMPUTER  EPOCH\nprinter0  a?[2J     2\n',
  );
  assert.equal(renderWhere([]), 'No devices are managed here.\n');
});

test('progress as a sentence and as a line', () => {
  assert.equal(renderProgress(progress), 'sending, 59.0 MiB of 236 MiB (25 %), 30.0 MiB/s, 5.9 s left');
  assert.equal(
    renderProgressLine(progress, 100),
    'sending               [######------------------] 59.0 MiB / 236 MiB  30.0 MiB/s  5.9 s left',
  );
  assert.equal(renderProgressLine(progress, 30).length, 30);
  const ahead: Progress = { ...progress, phase: 'pre-copy', round: 2 };
  assert.match(renderProgress(ahead), /^copying ahead, round 2, 59\.0 MiB of 236 MiB/);
  assert.match(renderProgressLine(ahead, 100), /^copying ahead, round 2 +\[#{6}-/);
  assert.match(renderProgress({ ...progress, note: 'without x' }), /5\.9 s left, without x$/);
  assert.equal(renderProgress({ ...progress, phase: 'freeze', bytesTotal: 0 }), 'freezing');
  assert.match(renderProgressLine({ ...progress, bytesDone: 300 * MiB }, 100), /\[#{24}\]/);
});

test('status says who this is, with and without an OS', () => {
  const base = { computer: { name: 'b', address: '192.0.2.2' }, protocol: 1, version: '0.1.0' } as const;
  assert.match(
    renderStatus({ ...base, role: 'standby' }),
    /^Computer {3}b \(192.0.2.2\)\nRole {7}standby: waits/,
  );
  const active = renderStatus({
    ...base,
    role: 'active',
    os: { id: 'os-1', epoch: 3, addresses: ['192.0.2.10'] },
    migration: progress,
  });
  assert.match(active, /OS {9}os-1, epoch 3, 192.0.2.10\n/);
  assert.match(active, /Migration {2}to b: sending/);
});

test('away from home it says what becomes of an OS that is restarted', () => {
  const base = {
    computer: { name: 'b', address: '192.0.2.2' },
    role: 'active',
    protocol: 1,
    version: '1',
  } as const;
  const homeOf = (home: object, more = {}) =>
    /^Home {7}(.*)$/m.exec(
      renderStatus({ ...base, os: { id: 'os-1', epoch: 3, addresses: [], ...home }, ...more }),
    )?.[1];
  assert.equal(homeOf({}), undefined, 'an older agent');
  assert.equal(homeOf({ home: { computer: 'b', hasDisk: true } }), undefined);
  const away = (hasDisk: boolean) => ({ home: { computer: 'a', hasDisk } });
  assert.match(homeOf(away(true)) ?? '', /^a: it starts the OS again/);
  assert.match(homeOf(away(false)) ?? '', /older state.*bring it home \(yado migrate a --disk=follow\)$/);
  const disk = { computer: 'b', kind: 'done', text: 'b uses it by itself', isShared: true } as const;
  assert.equal(homeOf(away(false), { disk }), undefined);
});

test('the end of a move gives the downtime in parts; the history too', () => {
  const entry = {
    id: '1',
    source: 'a',
    target: 'b',
    epoch: 2,
    outcome: 'moved',
    startedAt: '2026-11-22T10:00:00.123Z',
    endedAt: '2026-11-22T10:00:20Z',
    bytesSent: 236 * MiB,
    downtime: downtimeOf({ freeze: 20, image: 700, send: 7000 }),
  } as const;
  assert.match(
    renderMoved(entry),
    /runs on b; 236 MiB were sent\.\nIt stood still for 7\.7 s \(freeze 20 ms, image/,
  );
  const { downtime: _, ...rest } = entry;
  const failed = {
    ...rest,
    outcome: 'rolledBack',
    error: { code: 'linkLost', message: 'The connection to b broke.', hint: 'x' },
  } as const;
  const table = renderHistory([failed, entry]);
  assert.match(table, /2026-11-22 10:00:00 {2}a {5}b {3}went back {2}236 MiB {2}The connection to b broke\./);
  assert.match(table, /moved .* 7\.7 s \(/);
  const ahead = {
    ...entry,
    preCopy: { bytes: 200 * MiB, rounds: 3, pagesReferenced: 40_000, pages: 60_000 },
  };
  assert.match(renderMoved(ahead), /236 MiB were sent, 200 MiB of them while it ran, in 3 rounds\.\n/);
  assert.match(renderHistory([ahead]), / 236 MiB, 200 MiB ahead {2}/);
});

test('an error is a sentence and the next command', () => {
  assert.equal(
    renderError(yadoError('nothingToCancel', { computer: 'x' })),
    'yado: No migration is under way on x.\n      next: yado history\n',
  );
});

test('server-sent events are the same in any pieces', () => {
  const text = ': hi\r\n\r\nevent: progress\ndata: {"a":\ndata: 1}\n\ndata: plain\n\nevent: empty\n\n';
  const expected = [
    { event: 'progress', data: '{"a":\n1}' },
    { event: 'message', data: 'plain' },
  ];
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), cuts => {
      const reader = newEventReader();
      const ends = [...cuts.toSorted((a, b) => a - b), text.length];
      const events = ends.flatMap((end, index) => reader.push(text.slice(ends[index - 1] ?? 0, end)));
      assert.deepEqual(events, expected);
    }),
  );
});
