// The pairing commands against a fake agent: what a person sees, what is confirmed, what is kept on the disk.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { type FakeAgent, type FakeTerminal, json, newFakeTerminal, startFakeAgent } from './fake-agent.ts';
import { runCli } from './main.ts';

const key = 'K'.repeat(43);
const computers = [{ name: 'b', key, address: '192.0.2.2' }];
const os = { id: 'crab', key, computers, owners: [] };
const computer = { name: 'a', key, owners: [{ name: 'crab', key }] };

async function agentOf(pairs: object): Promise<FakeAgent> {
  const agent = await startFakeAgent();
  agent.answers.set('POST /v1/pair', json({ name: 'b', code: '042137' }));
  agent.answers.set('POST /v1/accept', json({ name: 'crab', code: '042137' }));
  agent.answers.set('POST /v1/confirm', json({ name: 'b' }));
  agent.answers.set('POST /v1/unpair', json({}));
  agent.answers.set('GET /v1/pairs', json(pairs));
  return agent;
}

function keysFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'yado-kept-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const run = (agent: FakeAgent, terminal: FakeTerminal, folder: string, ...args: string[]) =>
  runCli(args, terminal, { YADO_SOCKET: agent.socketPath, YADO_KEYS: folder });
const confirmed = (agent: FakeAgent): unknown[] =>
  agent.calls.filter(each => each.call === 'POST /v1/confirm').map(each => each.body);

test('the code is shown and asked about; a yes pairs, and is kept for the next start', async t => {
  await using agent = await agentOf({ computer, os });
  const folder = keysFolder(t);
  const terminal = newFakeTerminal(true, ['y']);
  assert.equal(await run(agent, terminal, folder, 'pair', 'b', '--address', '192.0.2.2'), 0);
  assert.deepEqual(agent.calls[0]?.body, { computer: 'b', address: '192.0.2.2' });
  assert.match(terminal.output, / {4}042 137\n/);
  assert.match(terminal.output, /same code\? \[y\/N\]/);
  assert.match(terminal.output, /Paired with b\.\n$/);
  assert.deepEqual(confirmed(agent), [{ code: '042137', agrees: true }]);
  const file = join(folder, 'paired.json');
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { computers, owners: [] });
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test('whatever is no yes is a no', async t => {
  for (const answer of ['', 'n', 'yellow', 'Y?']) {
    await using agent = await agentOf({ computer, os });
    const declined = yadoError('pairingDeclined', { name: 'b', where: 'here' });
    agent.answers.set('POST /v1/confirm', json({ error: declined }, 409));
    const terminal = newFakeTerminal(true, [answer]);
    assert.equal(await run(agent, terminal, keysFolder(t), 'pair', 'b'), 4);
    assert.deepEqual(confirmed(agent), [{ code: '042137', agrees: false }]);
    assert.match(terminal.errors, /declined here; nothing was paired/);
  }
});

test('where nobody can be asked the code is confirmed by a command of its own', async t => {
  await using agent = await agentOf({ computer });
  const folder = join(keysFolder(t), 'none');
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, folder, 'accept'), 0);
  assert.match(terminal.output, /Waiting for an OS/);
  assert.match(terminal.output, /yado confirm 042137\n$/);
  assert.deepEqual(confirmed(agent), []);
  const second = newFakeTerminal();
  assert.equal(await run(agent, second, folder, 'confirm', '042137'), 0);
  assert.match(second.output, /Paired with b\.\nThis computer has no disk .* switched off\.\n$/);
});

test('for programs: the code as JSON, and nothing else', async t => {
  await using agent = await agentOf({ computer });
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, keysFolder(t), 'accept', '--json'), 0);
  assert.deepEqual(JSON.parse(terminal.output), { name: 'crab', code: '042137' });
});

test('who is paired is listed, and forgotten on the disk too', async t => {
  await using agent = await agentOf({ computer, os });
  const folder = keysFolder(t);
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, folder, 'pairs'), 0);
  assert.match(terminal.output, /^The OS crab has the key K{43}\na has the key K{43}\n/);
  assert.match(terminal.output, /computer {2}b +192\.0\.2\.2/);
  assert.match(terminal.output, /OS +crab +may use a/);
  agent.answers.set('GET /v1/pairs', json({ computer, os: { ...os, computers: [] } }));
  assert.equal(await run(agent, newFakeTerminal(), folder, 'unpair', 'b'), 0);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, 'paired.json'), 'utf8')).computers, []);
});
