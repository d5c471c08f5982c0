// The command line against a fake agent on a unix socket: what is asked, what is printed, which exit code.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import type { HistoryEntry } from '#core/history.ts';
import type { Progress } from '#core/progress.ts';
import { type FakeAgent, type FakeTerminal, json, newFakeTerminal, startFakeAgent } from './fake-agent.ts';
import { runCli } from './main.ts';

const progress: Progress = {
  id: 'm1',
  source: 'a',
  target: 'b',
  phase: 'send',
  bytesDone: 50,
  bytesTotal: 100,
  bytesPerSecond: 10,
  etaMs: 5000,
  elapsedMs: 1000,
};
const moved: HistoryEntry = {
  id: 'm1',
  source: 'a',
  target: 'b',
  epoch: 2,
  outcome: 'moved',
  startedAt: '2026-11-22T10:00:00Z',
  endedAt: '2026-11-22T10:00:20Z',
  bytesSent: 100,
};
const status = {
  computer: { name: 'a', address: '192.0.2.1' },
  role: 'active',
  os: { id: 'os-1', epoch: 1, addresses: [] },
  protocol: 1,
  version: '0.1.0',
};
const linkLost = yadoError('linkLost', { computer: 'b', source: 'a', phase: 'sending' });
const run = (agent: FakeAgent, terminal: FakeTerminal, ...args: string[]) =>
  runCli(args, terminal, { YADO_SOCKET: agent.socketPath });

/** Answers `migrate` and then lets the agent say these events. */
function acceptAndSay(agent: FakeAgent, ...events: [string, unknown][]): void {
  agent.answers.set('POST /v1/migrate', response => {
    json({ id: 'm1' }, 202)(response, undefined);
    for (const [event, data] of events) agent.say(event, data);
  });
}

test('status, as text and as JSON', async () => {
  await using agent = await startFakeAgent();
  agent.answers.set('GET /v1/status', json(status));
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'status'), 0);
  assert.match(terminal.output, /active: the OS runs here/);
  const forPrograms = newFakeTerminal();
  assert.equal(await run(agent, forPrograms, 'status', '--json'), 0);
  assert.deepEqual(JSON.parse(forPrograms.output), status);
});

test('migrate: plain lines and the downtime at the end', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(
    agent,
    ['progress', { ...progress, id: 'of another move' }],
    ['progress', progress],
    ['progress', { ...progress, bytesDone: 51 }],
    ['news', { from: 'a later version' }],
    ['done', moved],
  );
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'migrate', 'b', '--accept-risk', 'x', '--accept-risk', 'y'), 0);
  assert.equal(
    terminal.output,
    'sending, 50 B of 100 B (50 %), 10 B/s, 5.0 s left\nThe OS now runs on b; 100 B were sent.\n',
  );
  assert.deepEqual(agent.calls.at(-1), {
    call: 'POST /v1/migrate',
    body: { to: 'b', acceptRisks: ['x', 'y'] },
  });
});

test('migrate --stop-and-copy asks for a move without pre-copy', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['done', moved]);
  assert.equal(await run(agent, newFakeTerminal(), 'migrate', 'b', '--stop-and-copy'), 0);
  assert.deepEqual(agent.calls.at(-1)?.body, { to: 'b', acceptRisks: [], preCopy: false });
});

test('migrate --max-downtime tells how long the OS may stand still', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['done', moved]);
  assert.equal(await run(agent, newFakeTerminal(), 'migrate', 'b', '--max-downtime', '1.5s'), 0);
  assert.deepEqual(agent.calls.at(-1)?.body, { to: 'b', acceptRisks: [], maxDowntimeMs: 1500 });
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'migrate', 'b', '--max-downtime', 'soon'), 2);
  assert.match(terminal.errors, /--max-downtime takes a time such as 2s or 500ms, not "soon"/);
});

test('migrate --disk tells what becomes of the disk; what does not fit is not asked for', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['done', moved]);
  const disk = '/dev/disk/by-id/virtio-spare';
  assert.equal(await run(agent, newFakeTerminal(), 'migrate', 'b', '--disk=follow', `--to-disk=${disk}`), 0);
  assert.deepEqual(agent.calls.find(each => each.call === 'POST /v1/migrate')?.body, {
    to: 'b',
    acceptRisks: [],
    disk: { mode: 'follow', disk },
  });
  for (const wrong of [['--disk=near'], ['--to-disk=x'], ['--disk=remote', '--to-disk=spare']])
    assert.equal(await run(agent, newFakeTerminal(), 'migrate', 'b', ...wrong), 2);
  assert.equal(agent.calls.filter(each => each.call === 'POST /v1/migrate').length, 1);
});

test('migrate on a screen redraws one line and clears it', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['progress', progress], ['done', moved]);
  const terminal = newFakeTerminal(true);
  assert.equal(await run(agent, terminal, 'migrate', 'b'), 0);
  const [, drawn, after] = terminal.output.split('\r\u001b[K');
  assert.match(drawn ?? '', /^sending.*left$/);
  assert.match(after ?? '', /^The OS now runs on b/);
});

test('migrate --json gives a line an event', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['progress', progress], ['done', moved]);
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'migrate', 'b', '--json'), 0);
  const lines = terminal.output
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { event: string });
  assert.deepEqual(
    lines.map(line => line.event),
    ['progress', 'done'],
  );
});

test('a move that fails: the sentence, the hint, the exit code of its family', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['failed', { error: linkLost }]);
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'migrate', 'b'), 5);
  assert.match(
    terminal.errors,
    /^yado: The connection to b broke while sending; the OS goes on at a\.\n {6}next: /,
  );
});

test('a move that is not begun: the error of the agent', async () => {
  await using agent = await startFakeAgent();
  const error = yadoError('busy', { computer: 'a', activity: 'moving to c' });
  agent.answers.set('POST /v1/migrate', json({ error }, 409));
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'migrate', 'b', '--json'), 6);
  assert.deepEqual(JSON.parse(terminal.output), { error: error.toJSON() });
});

test('the stream breaks in the middle: the end is found in the history', async () => {
  await using agent = await startFakeAgent();
  agent.answers.set('GET /v1/status', json({ ...status, migration: progress }));
  let asked = 0;
  agent.answers.set('GET /v1/history', response => {
    asked += 1;
    json(asked < 2 ? [] : [moved])(response, undefined);
    if (asked < 2) for (const stream of agent.streams) stream.end();
  });
  agent.answers.set('POST /v1/migrate', response => {
    json({ id: 'm1' }, 202)(response, undefined);
    for (const stream of agent.streams) stream.destroy();
  });
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'migrate', 'b'), 0);
  assert.match(terminal.output, /runs on b/);
});

test('dry run: what stands against it, exit code of a refusal', async () => {
  await using agent = await startFakeAgent();
  const check = {
    id: 'role',
    ok: false,
    severity: 'error',
    accepted: false,
    text: 'b is a ghost.',
    hint: 'h',
  };
  agent.answers.set('POST /v1/migrate', json({ checks: [check], ways: [], plan: [] }));
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'migrate', 'b', '--dry-run'), 4);
  assert.deepEqual(agent.calls[0]?.body, { to: 'b', acceptRisks: [], dryRun: true });
  assert.match(terminal.output, /^ERRORS .*\n {2}role {2}b is a ghost\.\n {8}-> h$/m);
});

test('doctor: alone and with another computer, exit code of a refusal only for what stands against a move', async () => {
  await using agent = await startFakeAgent();
  const check = { id: 'swap', ok: true, severity: 'error', accepted: false, text: 'no swap', hint: '' };
  const alone = { computer: 'a', role: 'active', checks: [check] };
  agent.answers.set('POST /v1/doctor', json(alone));
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'doctor'), 0);
  assert.match(terminal.output, /^a, which has the OS\n\n1 check is well/);
  const found = { ...check, ok: false, text: 'a swaps to /dev/vda2.', hint: 'swapoff /dev/vda2' };
  const ways = [{ device: 'disk0', way: 'remote', computer: 'a', reason: 'it stays at a' }];
  agent.answers.set('POST /v1/doctor', json({ ...alone, with: 'b', checks: [found], ways }));
  const refused = newFakeTerminal();
  assert.equal(await run(agent, refused, 'doctor', '--with', 'b'), 4);
  assert.match(refused.output, /^From a to b\n\nERRORS/);
  const forPrograms = newFakeTerminal();
  assert.equal(await run(agent, forPrograms, 'doctor', '--with', 'b', '--json'), 4);
  assert.deepEqual((JSON.parse(forPrograms.output) as { ways: unknown }).ways, ways);
  assert.deepEqual(
    agent.calls.map(each => each.body),
    [{}, { with: 'b' }, { with: 'b' }],
  );
});

/** Presses Ctrl-C as soon as the first progress is on the screen. */
function interruptWhenShown(terminal: FakeTerminal): FakeTerminal {
  const { out } = terminal;
  let pressed = false;
  terminal.out = text => {
    out(text);
    if (pressed || !text.includes('sending')) return;
    pressed = true;
    setImmediate(() => terminal.interrupt());
  };
  return terminal;
}

test('Ctrl-C asks; "c" cancels the move', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['progress', progress]);
  agent.answers.set('POST /v1/cancel', response => {
    json({})(response, undefined);
    agent.say('failed', { error: yadoError('cancelled', { computer: 'b', source: 'a' }) });
  });
  const terminal = interruptWhenShown(newFakeTerminal(true, ['c']));
  assert.equal(await run(agent, terminal, 'migrate', 'b'), 7);
  assert.match(terminal.errors, /was cancelled; the OS goes on at a/);
});

test('Ctrl-C where nobody can answer leaves the move to itself', async () => {
  await using agent = await startFakeAgent();
  acceptAndSay(agent, ['progress', progress]);
  const terminal = interruptWhenShown(newFakeTerminal());
  assert.equal(await run(agent, terminal, 'migrate', 'b'), 130);
  assert.match(terminal.errors, /goes on without this program.*yado wait/);
});

test('wait: nothing under way, or until the end', async () => {
  await using agent = await startFakeAgent();
  agent.answers.set('GET /v1/status', json({ ...status, migration: null }));
  const idle = newFakeTerminal();
  assert.equal(await run(agent, idle, 'wait'), 0);
  assert.match(idle.output, /No move is under way/);
  agent.answers.set('GET /v1/status', response => {
    json({ ...status, migration: progress })(response, undefined);
    agent.say('done', moved);
  });
  const terminal = newFakeTerminal();
  assert.equal(await run(agent, terminal, 'wait'), 0);
  assert.match(terminal.output, /runs on b/);
});

test('no agent, no sense, no such verb', async () => {
  const terminal = newFakeTerminal();
  assert.equal(await runCli(['status'], terminal, { YADO_SOCKET: '/nonexistent/api.sock' }), 3);
  assert.match(terminal.errors, /does not answer at \/nonexistent\/api.sock/);
  const short = newFakeTerminal();
  assert.equal(await runCli(['migrate', '--json'], short, {}), 2);
  assert.match(short.errors, /missing required argument 'computer'\n\(yado migrate --help tells more\)/);
  assert.equal(JSON.parse(short.output).error.code, 'badUsage');
  assert.equal(await runCli(['statsu'], newFakeTerminal(), {}), 2);
  assert.equal(await runCli(['--help'], newFakeTerminal(), {}), 0);

  await using agent = await startFakeAgent();
  agent.answers.set('GET /v1/status', json({ computer: 'not as agreed' }));
  assert.equal(await run(agent, newFakeTerminal(), 'status'), 10);
  assert.equal(await run(agent, newFakeTerminal(), 'history'), 10);
});
