// Runs a build tool and waits. Assumes a Debian machine; never runs anything at run time of the product.
import { spawnSync } from 'node:child_process';

/** Runs `argv`; throws with the tool's own words when it fails. Returns its standard output. */
export function run(
  argv: readonly string[],
  options: { cwd?: string; input?: string; env?: Record<string, string> } = {},
): string {
  const [file, ...rest] = argv;
  if (file === undefined) throw new Error('empty command');
  const done = spawnSync(file, rest, {
    cwd: options.cwd,
    input: options.input,
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (done.error) throw new Error(`${file} cannot be run: ${done.error.message}; run \`npm run setup\``);
  if (done.status !== 0)
    throw new Error(`${argv.join(' ')} failed (${done.status}): ${done.stderr.trim().slice(-2000)}`);
  return done.stdout;
}
