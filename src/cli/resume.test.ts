// `yado resume` against a fake agent: the consequence is named, and only a yes, or --yes, starts the OS.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { json, newFakeTerminal, startFakeAgent } from './fake-agent.ts';
import { runCli } from './main.ts';

const status = {
  computer: { name: 'a', address: '10.77.0.1' },
  role: 'standby',
  protocol: 3,
  version: '0.1.0',
  left: { os: 'crab', state: 'leaving', to: 'b' },
};

async function agentWith(answer: object) {
  const agent = await startFakeAgent();
  agent.answers.set('GET /v1/status', json(answer));
  agent.answers.set('POST /v1/resume', json({}));
  const resumed = () => agent.calls.filter(each => each.call === 'POST /v1/resume').length;
  const run = (terminal: ReturnType<typeof newFakeTerminal>, ...args: string[]) =>
    runCli(['resume', ...args], terminal, { YADO_SOCKET: agent.socketPath });
  return { run, resumed, [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose]() };
}

test('a yes starts it, after the consequence was named', async () => {
  await using agent = await agentWith(status);
  const terminal = newFakeTerminal(true, ['yes']);
  assert.equal(await agent.run(terminal), 0);
  assert.match(
    terminal.output,
    /crab was leaving to b\. If it still runs there[\s\S]*two\ncopies[\s\S]*destroy/,
  );
  assert.match(terminal.output, /Is b switched off.*\[y\/N\]/);
  assert.match(terminal.output, /a starts crab from its disk\.\n$/);
  assert.equal(agent.resumed(), 1);
});

test('anything else, or nobody there, changes nothing', async () => {
  for (const terminal of [
    newFakeTerminal(true, ['n']),
    newFakeTerminal(true, ['']),
    newFakeTerminal(false),
  ]) {
    await using agent = await agentWith(status);
    assert.equal(await agent.run(terminal), 2);
    assert.match(terminal.errors, /Nobody confirmed[\s\S]*yado resume --yes, when b has lost it for good/);
    assert.equal(agent.resumed(), 0);
  }
});

test('a script says --yes', async () => {
  await using agent = await agentWith(status);
  const terminal = newFakeTerminal(false);
  assert.equal(await agent.run(terminal, '--yes', '--json'), 0);
  assert.equal(terminal.output, '{}\n');
  assert.equal(agent.resumed(), 1);
});

test('where no OS has left a disk there is nothing to resume', async () => {
  const { left: _, ...rest } = status;
  await using agent = await agentWith(rest);
  const terminal = newFakeTerminal(true, ['yes']);
  assert.equal(await agent.run(terminal), 2);
  assert.match(terminal.errors, /No OS has left a disk on a /);
  assert.equal(agent.resumed(), 0);
});
