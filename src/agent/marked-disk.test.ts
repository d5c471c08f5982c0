// A standby that finds `leaving` on its disk, as a file, and the computer the OS was going to, over the protected channel.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, type TestContext, test } from 'node:test';
import { YadoError } from '#core/errors.ts';
import { readMark, writeMark } from '#devices/disk/left-mark.ts';
import type { DiskLeft } from '#devices/disk/service.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { controlPort } from '#wire/control.ts';
import { ControlServer } from './control-server.ts';
import type { Whereabouts } from './doubt.ts';
import { encodeMarkText, type Mark } from './ghost-state.ts';
import { MarkedDisk, type MarkedDiskWorld } from './marked-disk.ts';

mock.method(console, 'log', () => {});

const left: DiskLeft = {
  kind: 'disk',
  device: 'disk0',
  place: { pciAddress: '0000:00:06.0', identity: '0123456789abcdef' },
};

/** A marked disk at `here`, whose OS was going to a computer at `there`. */
function markedDisk(
  context: TestContext,
  here: string,
  there: string,
  asker: typeof fakeOs | undefined,
  isOld = false,
) {
  const folder = mkdtempSync(join(tmpdir(), 'yado-marked-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const node = join(folder, 'disk');
  writeFileSync(node, Buffer.alloc(4096));
  const mark: Mark = {
    osId: 'crab',
    epoch: 7,
    behind: [left],
    state: 'leaving',
    computer: { name: 'a', address: here },
    move: { epoch: 7, to: { name: 'b', address: there }, key: new Uint8Array(32).fill(7) },
  };
  writeMark(node, encodeMarkText(mark));
  const done: string[] = [];
  const act = Promise.withResolvers<void>();
  const did = (what: string) => (): void => {
    done.push(what);
    act.resolve();
  };
  const world: MarkedDiskWorld = {
    here: { name: 'a', address: here },
    asker,
    changed: () => {},
    now: () => (isOld ? undefined : mark),
    isServed: () => true,
    serve: async () => did('serves')(),
    stop: async () => {},
    endComputer: how => did(how === 'restart' ? 'restarts' : 'switches off')(),
  };
  const disk = new MarkedDisk(node, mark, world);
  context.after(() => disk.close());
  return { disk, node, done, acted: act.promise };
}

async function answering(address: string, where: () => Whereabouts): Promise<ControlServer> {
  const asked: unknown[] = [];
  const handlers = {
    whereIs: (request: unknown) => {
      asked.push(request);
      assert.deepEqual(request, { osId: 'crab', epoch: 7 });
      return { where: where() };
    },
  };
  const server = new ControlServer(
    () => 'b',
    handlers,
    () => fakeComputer(),
  );
  await server.listen(address, controlPort);
  return server;
}

const stateOf = (node: string): string | undefined => /"state":"(\w+)"/.exec(readMark(node) ?? '')?.[1];

test('b has not got it: the mark is gone from the disk before this computer is restarted', async t => {
  const server = await answering('127.0.3.2', () => 'nowhere');
  t.after(() => server.close());
  const { disk, node, done, acted } = markedDisk(t, '127.0.3.1', '127.0.3.2', fakeOs);
  await disk.open();
  await acted;
  assert.deepEqual(done, ['restarts']);
  assert.ok(readFileSync(node).every(byte => byte === 0));
  assert.throws(
    () => disk.heard(),
    (error: unknown) => error instanceof YadoError && error.code === 'busy',
  );
});

test('b has it: the disk says so, and what was left is served', async t => {
  const server = await answering('127.0.3.4', () => 'here');
  t.after(() => server.close());
  const { disk, node, done, acted } = markedDisk(t, '127.0.3.3', '127.0.3.4', fakeOs);
  await disk.open();
  await acted;
  assert.deepEqual(done, ['serves']);
  assert.equal(stateOf(node), 'left');
  assert.equal(disk.status.state, 'left');
  assert.deepEqual(disk.lines, []);
});

test('a computer without the key of the OS waits, says what to do, and hears the OS all the same', async t => {
  const { disk, node, done, acted } = markedDisk(t, '127.0.3.5', '127.0.3.6', undefined);
  await disk.open();
  while (!disk.lines.some(line => line.includes('start this computer from its disk')))
    await new Promise(setImmediate);
  assert.match(disk.lines.join('\n'), /crab was leaving to b[\s\S]*yado resume/);
  assert.equal(disk.status.state, 'leaving');
  assert.deepEqual([stateOf(node), done], ['leaving', []]);
  disk.heard();
  await acted;
  assert.deepEqual([stateOf(node), done], ['left', ['serves']]);
});

test('a person resumes: nothing is left of the mark, and it is restarted once', async t => {
  const { disk, node, done } = markedDisk(t, '127.0.3.7', '127.0.3.8', fakeOs);
  await disk.open();
  await disk.resume();
  while (done.length === 0) await new Promise(resolve => setTimeout(resolve, 20));
  assert.deepEqual(done, ['restarts']);
  assert.equal(readMark(node), undefined);
});

test('an OS that was shut down where it was: nothing is left of the mark, and the computer switches itself off', async t => {
  const { disk, node, done, acted } = markedDisk(t, '127.0.3.11', '127.0.3.12', fakeOs);
  await disk.open();
  disk.heard();
  await acted;
  await disk.resume('off');
  assert.deepEqual(done, ['serves', 'switches off']);
  assert.equal(readMark(node), undefined);
});

test('what the OS has left for another disk is not started again', async t => {
  const { disk, node, done } = markedDisk(t, '127.0.3.9', '127.0.3.10', fakeOs, true);
  await assert.rejects(
    disk.resume(),
    (error: unknown) =>
      error instanceof YadoError && error.code === 'diskIsOld' && /of a is an older/.test(error.message),
  );
  assert.deepEqual([stateOf(node), done], ['leaving', []]);
});
