// The local API over its unix socket: every path, bad input, and live events.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { ApiServer, errorEvent } from './api-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'yado-api-'));
const socketPath = join(folder, 'api.sock');
const asked: unknown[] = [];
const server = new ApiServer({
  status: () => ({ role: 'active' }),
  where: async () => [],
  devices: () => {
    throw new Error('no such file');
  },
  migrate: async body => {
    asked.push(body);
    if (body.to === 'nowhere') throw yadoError('unknownComputer', { computer: body.to });
    return { status: 202, body: { id: '2-1' } };
  },
  doctor: body => ({ computer: 'alpha', with: body.with ?? 'nobody' }),
  standby: body => ({ became: body.computer ?? 'this' }),
  firstEvent: () => ({ event: 'progress', data: { phase: 'send' } }),
});
before(() => server.listen(socketPath));
after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

async function call(method: string, path: string, body?: string | Buffer) {
  const sent = request({ socketPath, method, path, agent: false });
  sent.on('error', () => {});
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  const value = JSON.parse(text) as { error?: { code: string; message: string; hint: string } };
  return { status: response.statusCode, value };
}

test('only root may open the socket', () => {
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
});

test('what a role answers', async () => {
  assert.deepEqual(await call('GET', '/v1/status'), { status: 200, value: { role: 'active' } });
  assert.deepEqual(await call('GET', '/v1/where?verbose=1'), { status: 200, value: [] });
  assert.deepEqual(await call('POST', '/v1/standby', ''), { status: 200, value: { became: 'this' } });
  assert.deepEqual(await call('POST', '/v1/migrate', '{"to":"beta"}'), { status: 202, value: { id: '2-1' } });
  assert.deepEqual(asked.at(-1), { to: 'beta' });
  for (const [body, other] of [
    ['', 'nobody'],
    ['{"with":"beta"}', 'beta'],
  ] as const)
    assert.deepEqual((await call('POST', '/v1/doctor', body)).value, { computer: 'alpha', with: other });
});

test('every failure has a status, a sentence and a hint', async () => {
  const before = asked.length;
  const cases: [method: string, path: string, body: string | Buffer, status: number, code: string][] = [
    ['GET', '/', '', 400, 'badRequest'],
    ['POST', '/v1/status', '', 400, 'badRequest'],
    ['GET', '/v1/history', '', 400, 'badRequest'], // not in this role
    ['GET', `/${'x'.repeat(5000)}`, '', 400, 'badRequest'],
    ['POST', '/v1/migrate', 'not JSON', 400, 'badRequest'],
    ['POST', '/v1/migrate', '[]', 400, 'badRequest'],
    ['POST', '/v1/migrate', '{}', 400, 'badRequest'],
    ['POST', '/v1/migrate', '{"to":""}', 400, 'badRequest'],
    ['POST', '/v1/migrate', '{"to":"beta","force":true}', 400, 'badRequest'],
    ['POST', '/v1/migrate', Buffer.from([0xff, 0xfe]), 400, 'badRequest'],
    ['POST', '/v1/standby', '{"computer":7}', 400, 'badRequest'],
    ['POST', '/v1/doctor', '{"with":""}', 400, 'badRequest'],
    ['POST', '/v1/doctor', '{"with":"beta","mend":true}', 400, 'badRequest'],
    ['GET', '/v1/devices', '', 500, 'internal'],
  ];
  for (const [method, path, body, status, code] of cases) {
    const what = `${method} ${path.slice(0, 40)} ${String(body).slice(0, 40)}`;
    const answer = await call(method, path, body);
    assert.equal(answer.status, status, what);
    assert.equal(answer.value.error?.code, code, what);
    assert.ok(answer.value.error.message.endsWith('.') && answer.value.error.hint !== '', what);
  }
  assert.equal(asked.length, before); // nothing of it reached the agent
  const unknown = await call('POST', '/v1/migrate', '{"to":"nowhere"}');
  assert.equal(unknown.status, 400);
  assert.equal(unknown.value.error?.code, 'unknownComputer');
});

test('a body over the limit is refused', async () => {
  const body = JSON.stringify({ to: 'beta', acceptRisks: ['x'.repeat(100_000)] });
  assert.equal((await call('POST', '/v1/migrate', body)).value.error?.code, 'badRequest');
});

test('bytes that are not HTTP do not stop the server', async () => {
  const socket = connect(socketPath);
  socket.end(Buffer.from([0, 1, 2, 3, 0xff]));
  socket.resume();
  await once(socket, 'close');
  assert.equal((await call('GET', '/v1/status')).status, 200);
});

test('events: the present state first, then what happens, to everyone who listens', async () => {
  const listener = async () => {
    const sent = request({ socketPath, path: '/v1/events', agent: false }).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    response.setEncoding('utf8');
    let text = '';
    const until = async (part: string): Promise<string> => {
      while (!text.includes(part)) text += String((await once(response, 'data'))[0]);
      return text;
    };
    return { until, hangUp: () => sent.destroy(), type: response.headers['content-type'] };
  };
  const [one, two] = await Promise.all([listener(), listener()]);
  assert.equal(one.type, 'text/event-stream');
  assert.equal(await one.until('\n\n'), 'event: progress\ndata: {"phase":"send"}\n\n');
  await two.until('\n\n');
  two.hangUp();
  server.emit('failed', errorEvent(yadoError('busy', { computer: 'beta', activity: 'it moves' })));
  assert.match(await one.until('failed'), /event: failed\ndata: \{"error":\{"code":"busy",/);
  one.hangUp();
  server.emit('done', {}); // no one listens any more
});
