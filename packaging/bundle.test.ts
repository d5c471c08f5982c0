// The bundles of the agent image, started with nothing beside them: every role as far as what it is told, and the command
// line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bundleApp } from './bundle.ts';
import { projectRoot } from './cache.ts';

const config = '/run/yado/config.toml';
let app = '';

before(() => {
  assert.ok(!existsSync(config), `with ${config} this computer would get an agent`);
  app = mkdtempSync(join(tmpdir(), 'yado-app-'));
  bundleApp(app);
});

after(() => rmSync(app, { recursive: true, force: true }));

function start(path: string, ...options: string[]): { status: number | null; said: string; errors: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(app, path), ...options], {
    cwd: '/',
    encoding: 'utf8',
    env: {},
  });
  return { status, said: stdout, errors: stderr };
}

for (const role of ['active', 'standby', 'farewell']) {
  test(`the role ${role} loads, and asks for its settings`, () => {
    const { status, said, errors } = start('src/agent/main.js', `--role=${role}`);
    assert.match(said, /^The configuration .*config\.toml on this computer is not usable: ENOENT/);
    assert.equal(errors, '');
    assert.equal(status, 2);
  });
}

test('the role ghost loads, and asks for its state', () => {
  const { status, said, errors } = start('src/agent/main.js', '--role=ghost', '--state={}');
  assert.match(said, /"osId"/);
  assert.equal(errors, '');
  assert.equal(status, 10);
});

test('the role look finds no mark of an OS on the disks of this machine', () => {
  const { status, said, errors } = start('src/agent/main.js', '--role=look');
  assert.deepEqual([status, said, errors], [3, '', '']);
});

for (const options of [[], ['--role=nonsense']]) {
  test(`without a role it says which there are (${options.join(' ') || 'no option'})`, () => {
    const { status, said } = start('src/agent/main.js', ...options);
    assert.match(said, /^yadod needs --role=active, standby, ghost, marked, look or farewell/);
    assert.equal(status, 2);
  });
}

test('the command line knows its verbs and its version', () => {
  const help = start('src/cli/main.js', '--help');
  assert.equal(help.status, 0);
  assert.match(help.said, /migrate/);
  const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    version: string;
  };
  assert.equal(start('src/cli/main.js', '--version').said, `${version}\n`);
});

test('the licence of every package that is in a bundle is beside it', () => {
  const { dependencies } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
    dependencies: object;
  };
  assert.deepEqual(readdirSync(join(app, 'licenses')), Object.keys(dependencies).toSorted());
});

test('another folder gets the same bytes: the image is the same wherever it is built', () => {
  const other = join(app, 'elsewhere');
  bundleApp(other);
  for (const path of globSync('src/**/*.{js,map,node}', { cwd: app }))
    assert.ok(readFileSync(join(app, path)).equals(readFileSync(join(other, path))), path);
});
