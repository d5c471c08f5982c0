// How an agent hears its helper: programs in its place that say what it would say.
import assert from 'node:assert/strict';
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encodeFrame } from '#wire/frame.ts';
import { frameTypes, maxTextBytes, outcomes, reasons, timedSteps } from '#wire/frames.ts';
import { startHelper } from './helper.ts';

const folder = mkdtempSync(join(tmpdir(), 'yado-helper-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const nothing = openSync('/dev/null', 'r+');

function programOf(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return path;
}

const report = Buffer.alloc(16 + 8 * timedSteps.length + 56 + maxTextBytes);
report.writeUInt32LE(reasons.linkLost, 0);
const said = join(folder, 'said');
writeFileSync(said, encodeFrame(frameTypes.result.number, BigInt(outcomes.returned), report));

test('a report that is read only after the helper has ended counts', async () => {
  const late = programOf('late', `(sleep 0.2; cat ${said} >&3) & exit 0`);
  const helper = startHelper('source', Buffer.alloc(0), nothing, {}, late);
  const { outcome, reason } = await helper.report;
  assert.deepEqual([outcome, reason], ['returned', 'linkLost']);
});

test('a helper that dies without a word is told as that', async () => {
  const dies = programOf('dies', 'kill -9 $$');
  await assert.rejects(
    startHelper('source', Buffer.alloc(0), nothing, {}, dies).report,
    /ended without a report \(SIGKILL\)/,
  );
});
