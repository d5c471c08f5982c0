// The helper's parsers in a process of their own, under ASan and UBSan (harness.c): records in, a line of numbers each out.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { compileHarness, sanitizerEnv, temporaryFolder } from './compile.ts';

const harness = compileHarness(temporaryFolder());

/** What is done with the bytes of a record: see main() of harness.c. */
export type Kind = 'J' | 'P' | 'R' | 'C' | 'T' | 'H' | 'W' | 'G';

/** Runs records through one process. @returns its answers, a list of numbers each */
export function answers(
  records: readonly (readonly [Kind, Uint8Array])[],
  command: readonly string[] = [],
): number[][] {
  const input = records.flatMap(([kind, bytes]) => {
    const head = Buffer.alloc(5, kind);
    head.writeUInt32LE(bytes.length, 1);
    return [head, bytes];
  });
  const [program = '', ...rest] = [...command, harness];
  const env = { ...process.env, ...sanitizerEnv };
  const { status, stdout, stderr } = spawnSync(program, rest, {
    input: Buffer.concat(input),
    encoding: 'utf8',
    env,
    maxBuffer: 1 << 26,
  });
  assert.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split('\n');
  assert.equal(lines.length, records.length);
  return lines.map(line => line.split(' ').map(Number));
}
