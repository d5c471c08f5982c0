// `yado standby build` against a fake agent and a script in place of the package's: what is refused before keys are made, what
// the script is told, and what is kept.
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { type FakeAgent, json, newFakeTerminal, startFakeAgent } from './fake-agent.ts';
import { runCli } from './main.ts';
import { kernelParameters } from './standby-medium.ts';

const key = 'K'.repeat(43);
const keys = Buffer.from('070701 keys');
const os = { id: 'crab', key, computers: [{ name: 'b', key }], owners: [] };

async function agentOf(): Promise<FakeAgent> {
  const agent = await startFakeAgent();
  agent.answers.set('GET /v1/computers', json([{ name: 'b', address: '192.0.2.2' }]));
  agent.answers.set('POST /v1/medium', json({ keys: keys.toString('base64') }));
  agent.answers.set('POST /v1/unpair', json({}));
  agent.answers.set('GET /v1/pairs', json({ computer: { name: 'a', key, owners: [] }, os }));
  return agent;
}

interface Place {
  readonly folder: string;
  run(agent: FakeAgent, ...args: string[]): Promise<{ code: number; said: string; errors: string }>;
}

/** A package whose script writes down what it is called with; `tools` are those of its Suggests. */
function place(
  context: TestContext,
  script = 'cat > "$0.keys"; printf "%s\\n" "$@" > "$0.args"',
  tools = ['grub-mkrescue', 'xorriso', 'mformat', 'grub-mknetdir'],
): Place {
  const folder = mkdtempSync(join(tmpdir(), 'yado-medium-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const program = (name: string, text: string): void => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  program('medium', script);
  for (const tool of tools) program(tool, '');
  return {
    folder,
    run: async (agent, ...args) => {
      const terminal = newFakeTerminal();
      const environment = {
        YADO_SOCKET: agent.socketPath,
        YADO_KEYS: folder,
        YADO_MEDIUM: join(folder, 'medium'),
        PATH: folder,
      };
      const code = await runCli(['standby', 'build', ...args], terminal, environment);
      return { code, said: terminal.output, errors: terminal.errors };
    },
  };
}

const calls = (agent: FakeAgent, call: string): unknown[] =>
  agent.calls.filter(each => each.call === call).map(each => each.body);

test('a medium has the keys of its computer, which is paired from then on', async t => {
  await using agent = await agentOf();
  const { folder, run } = place(t);
  const iso = join(folder, 'b.iso');
  const { code, said, errors } = await run(agent, 'b', '--iso', iso, '--nic', '52:54:00:00:00:0B');
  assert.deepEqual([code, errors], [0, '']);
  assert.match(
    said,
    /b\.iso is ready.*start b from it\.\nIt is paired with this OS\. The medium holds its key/,
  );
  const [kind, target, name, parameters, kernel] = readFileSync(join(folder, 'medium.args'), 'utf8').split(
    '\n',
  );
  assert.deepEqual([kind, target, name, kernel], ['iso', iso, 'b', 'running']);
  assert.match(parameters ?? '', /yado\.name=b yado\.address=192\.0\.2\.2\/24 yado\.nic=52:54:00:00:00:0b$/);
  assert.ok(readFileSync(join(folder, 'medium.keys')).equals(keys));
  assert.deepEqual(JSON.parse(readFileSync(join(folder, 'paired.json'), 'utf8')), {
    computers: os.computers,
    owners: [],
  });
});

test('which kernel the medium starts is told when it is not the one of the OS', async t => {
  await using agent = await agentOf();
  const why =
    'the kernel 6.99 cannot start a standby: it has no tls; it is started with the kernel of the package';
  const { folder, run } = place(t, `cat > /dev/null; echo "${why}"; printf "%s\\n" "$@" > "$0.args"`);
  const { code, said } = await run(agent, 'b', '--iso', join(folder, 'b.iso'), '--package-kernel');
  assert.equal(code, 0);
  assert.match(said, /is ready[\s\S]*the kernel 6\.99 cannot start a standby: it has no tls/);
  assert.match(readFileSync(join(folder, 'medium.args'), 'utf8'), /\npackage\n$/);
});

test('a computer that the configuration does not name is told its address', async t => {
  await using agent = await agentOf();
  const { folder, run } = place(t);
  const unnamed = await run(agent, 'c', '--iso', 'c.iso');
  assert.equal(unnamed.code, 2);
  assert.match(unnamed.errors, /names no c: add --address/);
  assert.equal((await run(agent, 'c', '--iso', join(folder, 'c.iso'), '--address', '192.0.2.3/26')).code, 0);
  assert.deepEqual(calls(agent, 'POST /v1/medium'), [{ computer: 'c', address: '192.0.2.3' }]);
  assert.match(readFileSync(join(folder, 'medium.args'), 'utf8'), /yado\.address=192\.0\.2\.3\/26$/m);
});

test('what the network gives to everyone has no keys, nor has a medium that is to have none', async t => {
  await using agent = await agentOf();
  const { folder, run } = place(t);
  for (const options of [
    ['--pxe', folder],
    ['--iso', join(folder, 'x'), '--no-keys'],
  ]) {
    const { code, said } = await run(agent, 'b', ...options);
    assert.equal(code, 0);
    assert.match(said, /It has no keys: there Alt\+F2 and yado accept, here yado pair b/);
    assert.doesNotMatch(said, /Nothing can be typed/);
    assert.equal(readFileSync(join(folder, 'medium.keys')).length, 0);
  }
  const { said } = await run(agent, 'b', '--pxe', folder, '--no-prompt');
  assert.match(said, /Nothing can be typed there, so it cannot be paired\. Make it anew without --no-prompt/);
  assert.match(readFileSync(join(folder, 'medium.args'), 'utf8'), / yado\.prompt=off /);
  assert.deepEqual(calls(agent, 'POST /v1/medium'), []);
});

test('what can be refused is refused before there are keys', async t => {
  await using agent = await agentOf();
  const { folder, run } = place(t);
  const file = join(folder, 'medium');
  for (const [options, says] of [
    [[], /one of --iso <file>, --usb <disk>, --pxe <folder>/],
    [['--iso', 'x', '--pxe', 'y'], /one of --iso/],
    [['--usb', file], /cannot be made at .*medium: it is no disk\./],
    [['--iso', 'x', '--nic', 'eth0'], /eth0 is no MAC address/],
    [['--iso', 'x', '--address', 'b.example'], /b\.example is no IPv4 address/],
  ] as const) {
    const { code, errors } = await run(agent, 'b', ...options);
    assert.equal(code, 2);
    assert.match(errors, says);
  }
  const bare = place(t, '', ['xorriso']);
  const { code, errors } = await bare.run(agent, 'b', '--iso', 'x');
  assert.equal(code, 2);
  assert.match(errors, /grub-mkrescue, mformat not found[\s\S]*apt install grub-common/);
  assert.deepEqual(calls(agent, 'POST /v1/medium'), []);
});

test('a medium that could not be made leaves nobody paired', async t => {
  await using agent = await agentOf();
  const { run } = place(t, 'echo "xorriso : FAILURE : no space left" >&2; exit 1');
  const { code, errors } = await run(agent, 'b', '--iso', 'x');
  assert.equal(code, 2);
  assert.match(errors, /no space left[\s\S]*df \/var\/tmp/);
  assert.deepEqual(calls(agent, 'POST /v1/unpair'), [{ name: 'b' }]);
});

test('an address without a prefix length lies in the network of the computer that the OS is on', async t => {
  await using agent = await agentOf();
  const known = [
    { name: 'a', address: '10.0.4.1', prefixLength: 22 },
    { name: 'b', address: '10.0.6.2' },
  ];
  agent.answers.set('GET /v1/computers', json(known));
  const { folder, run } = place(t);
  const { code } = await run(agent, 'b', '--iso', join(folder, 'out.iso'));
  assert.equal(code, 0);
  assert.match(readFileSync(join(folder, 'medium.args'), 'utf8'), / yado\.address=10\.0\.6\.2\/22\b/);
});

test('a computer that is paired already keeps its key', async t => {
  await using agent = await agentOf();
  agent.answers.set('POST /v1/medium', json({ error: yadoError('pairedAlready', { computer: 'b' }) }, 400));
  const { code, errors } = await place(t).run(agent, 'b', '--iso', 'x');
  assert.equal(code, 2);
  assert.match(errors, /b is paired already[\s\S]*yado unpair b/);
  assert.deepEqual(calls(agent, 'POST /v1/unpair'), []);
});

test('what is set aside here is set aside there', () => {
  const here = 'root=UUID=1 memmap=192M!256M memmap=1M$2M quiet\n';
  assert.equal(
    kernelParameters(here, 'b', '192.0.2.2/24', { console: 'ttyS0' }),
    'memmap=192M!256M acpi=copy_dsdt nr_cpus=1 ibt=off bgrt_disable intremap=off intel_iommu=off amd_iommu=off console=ttyS0 console=tty0 yado.console=ttyS0 yado.name=b yado.address=192.0.2.2/24',
  );
});
