// What is made for the package beside the programs: manual page, completions, changelog. The package itself is tried in the
// lab (test/lab/package.test.ts).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { listCommands } from '../src/cli/command-list.ts';
import { projectRoot } from './cache.ts';
import { bashCompletion, fishCompletion, zshCompletion } from './completions.ts';
import { newestEntry } from './deb.ts';
import { manPage } from './man-page.ts';

const program = listCommands();

test('the changelog’s newest entry is of this version', () => {
  const changelog = readFileSync(join(projectRoot, 'packaging/debian/changelog'), 'utf8');
  assert.equal(newestEntry(changelog).version, program.version);
  assert.throws(() => newestEntry(''), /no entry/);
});

test('the manual page tells of every verb and every option, and man has nothing to complain of', () => {
  const page = manPage(program, 0);
  const { stdout, stderr } = spawnSync('groff', ['-man', '-ww', '-Tascii', '-P-c', '-P-b', '-P-u'], {
    input: page,
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  const shown = stdout.replaceAll(/\s+/g, ' ');
  for (const { name, words, options } of program.commands) {
    assert.ok(shown.includes([`yado ${name}`, ...words].join(' ')), name);
    for (const { names } of options)
      for (const each of names) assert.ok(shown.includes(each), `${name} ${each}`);
  }
  assert.match(shown, /Yadokari \S+ 1970-01-01 YADO\(1\)/);
});

/** What bash offers for a line; `|` stands behind its last word. */
function offered(line: string): string[] {
  const words = line.split(' ');
  const agent = `yado() { case $1 in
    computers) printf '[\\n  {\\n    "name": "alpha",\\n    "address": "10.0.0.1"\\n  },\\n  {\\n    "name": "beta"\\n  }\\n]\\n' ;;
    devices) printf '[\\n  {\\n    "device": "display0"\\n  }\\n]\\n' ;; esac; }`;
  const script = `${agent}\n${bashCompletion(program)}
COMP_WORDS=(${words.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _yado; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').filter(each => each !== '');
}

test('bash completes verbs, options, and names that the agent knows', () => {
  assert.deepEqual(offered('yado mig'), ['migrate']);
  assert.deepEqual(offered('yado migrate '), ['alpha', 'beta']);
  assert.deepEqual(offered('yado migrate b'), ['beta']);
  assert.deepEqual(offered('yado migrate --dr'), ['--dry-run']);
  assert.deepEqual(offered('yado doctor --with a'), ['alpha']);
  assert.deepEqual(offered('yado lend '), ['display0']);
  assert.deepEqual(offered('yado standby b'), ['beta', 'build']);
  assert.deepEqual(offered('yado standby build b'), ['beta']);
  assert.deepEqual(offered('yado standby build beta --is'), ['--iso']);
  assert.deepEqual(offered('yado lend display0 --to '), ['alpha', 'beta']);
});

test('zsh and fish are told of every verb', () => {
  const zsh = zshCompletion(program);
  const fish = fishCompletion(program);
  for (const { name } of program.commands) {
    assert.ok(zsh.includes(`  '${name}') _arguments`), name);
    assert.ok(fish.includes(`-a ${name.split(' ').at(-1)} -d `), name);
  }
});
