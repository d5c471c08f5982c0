// What can be typed at the screen of a standby: the commands of yado and nothing else.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../packaging/cache.ts';

test('every line is a command of yado, with or without its name; nothing is expanded or run', t => {
  const folder = mkdtempSync(join(tmpdir(), 'yado-prompt-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const yado = join(folder, 'yado');
  writeFileSync(yado, '#!/bin/sh\nfor each; do printf "<%s>" "$each"; done; echo; exit 1\n');
  chmodSync(yado, 0o755);
  const made = join(folder, 'made');
  const lines = [
    'yado accept',
    '',
    'status  --json',
    `confirm $(touch ${made}) ; touch ${made} & \`touch ${made}\` | sh > ${made}`,
    '* $PATH "a b" \\',
    'yado',
  ];
  const { stdout, status } = spawnSync('busybox', ['sh', join(projectRoot, 'standby/prompt'), 'b'], {
    input: `${lines.join('\n')}\n`,
    env: { PATH: `${folder}:/bin:/usr/bin` },
    encoding: 'utf8',
  });
  assert.match(stdout, /^\nYadokari b: type yado status, accept, resume or cancel/);
  assert.deepEqual(
    stdout
      .split('\n')
      .filter(line => line.includes('<'))
      .map(line => line.replaceAll('yado> ', '')),
    [
      '<accept>',
      '<status><--json>',
      `<confirm><$(touch><${made})><;><touch><${made}><&><\`touch><${made}\`><|><sh><>><${made}>`,
      '<*><$PATH><"a><b"><\\>',
    ],
  );
  assert.equal(existsSync(made), false);
  assert.equal(status, 0); // what is typed has ended: init starts it anew
});
