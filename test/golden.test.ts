// Plays the golden scripts of test/golden: each line names a role and an event, and after the arrow the state and the
// effects that follow. UPDATE_GOLDEN=1 rewrites what stands after the arrows; change it only when understood.

import assert from 'node:assert/strict';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { YadoError } from '#core/errors.ts';
import { machines, step } from '#core/machine.ts';
import type { Role } from '#core/migration-table.ts';

const folder = join(import.meta.dirname, 'golden');
const isRole = (word: string | undefined): word is Role => word !== undefined && word in machines;

/** The script with everything after the arrows worked out anew. Comments and blank lines stay. */
function play(script: string): string {
  const states: Record<Role, string> = {
    source: machines.source.start,
    target: machines.target.start,
    copy: machines.copy.start,
  };
  const lines = script.split('\n').map(line => {
    if (line === '' || line.startsWith('#')) return line;
    const [role, event] = line.split(/\s+/);
    assert.ok(
      isRole(role) && event && (machines[role].events as readonly string[]).includes(event),
      `"${line}"`,
    );
    const head = `${role.padEnd(6)} ${event.padEnd(10)} ->`;
    try {
      const next = step(role, states[role] as never, event as never) as {
        state: string;
        effects: readonly string[];
      };
      states[role] = next.state;
      return `${head} ${next.state}: ${next.effects.join(', ') || '-'}`;
    } catch (error) {
      if (!(error instanceof YadoError)) throw error;
      return `${head} ${error.code} in ${states[role]}`;
    }
  });
  return lines.join('\n');
}

for (const file of globSync('*.txt', { cwd: folder }).toSorted()) {
  test(`golden script ${basename(file, '.txt')}`, () => {
    const path = join(folder, file);
    const script = readFileSync(path, 'utf8');
    const played = play(script);
    if (process.env.UPDATE_GOLDEN === '1') writeFileSync(path, played);
    else assert.equal(played, script);
  });
}
