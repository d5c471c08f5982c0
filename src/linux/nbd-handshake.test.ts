// The NBD handshake against servers in memory: good ones, old ones, hostile ones; and nbdkit where installed.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ByteStream, streamOf } from '#linux/byte-stream.ts';
import { connect, socket } from '#linux/ffi.ts';
import { nbdHandshake } from '#linux/nbd-handshake.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { FormatError } from '#linux/system-error.ts';

const GREETING = '4e42444d41474943' + '49484156454f5054' + '0003'; // NBDMAGIC, IHAVEOPT, fixed newstyle + no zeroes
const reply = (type: string, data: string) =>
  `0003e889045565a9${'00000007'}${type}${(data.length / 2).toString(16).padStart(8, '0')}${data}`;
const EXPORT = reply('00000003', `0000${'0000000040000000'}${'0005'}`); // 1 GiB, HAS_FLAGS | SEND_FLUSH
const BLOCKS = reply('00000003', '0003000002000000100002000000'); // minimum 512, preferred 4096, maximum 32 MiB
const ACK = reply('00000001', '');
const UNSUPPORTED = reply('80000001', '');

/** A server that says `hex`, whatever it is asked. */
function serverSaying(bytes: Uint8Array): ByteStream & { written: Buffer; largestRead: number } {
  const said = Buffer.from(bytes);
  let at = 0;
  return {
    written: Buffer.alloc(0),
    largestRead: 0,
    async read(length) {
      this.largestRead = Math.max(this.largestRead, length);
      if (at + length > said.length) throw new FormatError('test', 'the other side closed the connection');
      at += length;
      return said.subarray(at - length, at);
    },
    async write(more) {
      this.written = Buffer.concat([this.written, more]);
    },
  };
}
const say = (...hex: string[]) => serverSaying(Buffer.from(hex.join(''), 'hex'));

test('an export is granted with its size, flags and block sizes', async () => {
  const server = say(GREETING, EXPORT, BLOCKS, ACK);
  assert.deepEqual(await nbdHandshake(server, 'disk'), {
    sizeBytes: 1 << 30,
    transmissionFlags: 5,
    minimumBlockBytes: 512,
    preferredBlockBytes: 4096,
    maximumBlockBytes: 0x02000000,
  });
  assert.equal(
    server.written.toString('hex'),
    '00000003' + // client flags
      '49484156454f5054' +
      '00000007' +
      '0000000c' + // IHAVEOPT, GO, 12 bytes
      '00000004' +
      '6469736b' +
      '0001' +
      '0003', // "disk", one request: block sizes
  );
});

test('a server without GO is asked by EXPORT_NAME', async () => {
  const server = say(GREETING, UNSUPPORTED, '0000000000100000', '0001');
  assert.deepEqual(await nbdHandshake(server, 'd'), { sizeBytes: 1 << 20, transmissionFlags: 1 });
  const old = say(GREETING.replace(/3$/, '1'), UNSUPPORTED, '0000000000100000', '0001', '00'.repeat(124));
  assert.equal((await nbdHandshake(old, 'd')).sizeBytes, 1 << 20);
});

test('what a hostile or broken server says gives one clear sentence', async () => {
  const cases: [server: ByteStream, message: RegExp][] = [
    [say('48545450'.repeat(8)), /no NBD server/],
    [say('4e42444d41474943', '0000420281861253', '0000'), /old handshake/],
    [say(GREETING.replace(/3$/, '0')), /fixed newstyle/],
    [say(GREETING, reply('80000006', '6e6f0a07')), /unknown export \(no\?\?\)/],
    [say(GREETING, ACK), /without telling the size/],
    [say(GREETING, '0003e889045565a9', '00000007', '00000003', 'ffffffff'), /reply of 4294967295 bytes/],
    [say(GREETING, EXPORT.replace('00000007', '00000006')), /option 6/],
    [say(GREETING, reply('00000003', `0000${'0000000000000000'}0001`)), /export of 0 bytes/],
    [
      say(GREETING, reply('00000003', `0000${'ffffffffffffffff'}0001`)),
      /export of 18446744073709551615 bytes/,
    ],
    [say(GREETING, reply('00000003', '0003000002010000100002000000')), /minimum block/],
    [say(GREETING, reply('00000003', '0000')), /truncated/],
    [say(GREETING, BLOCKS.repeat(65)), /more than 64 replies/],
    [say(GREETING, EXPORT), /closed the connection/],
  ];
  for (const [server, message] of cases) await assert.rejects(nbdHandshake(server, 'disk'), message);
  await assert.rejects(nbdHandshake(say(), 'x'.repeat(5000)), /too long/);
});

test('any bytes give an export or a FormatError, and nothing large is ever read at once', async () => {
  const piece = fc.oneof(
    fc.constantFrom(EXPORT, BLOCKS, ACK, UNSUPPORTED).map(hex => Buffer.from(hex, 'hex')),
    fc.uint8Array({ maxLength: 40 }),
  );
  const property = fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async pieces => {
    const server = serverSaying(Buffer.concat([Buffer.from(GREETING, 'hex'), ...pieces]));
    await nbdHandshake(server, 'disk').catch(error => {
      if (!(error instanceof FormatError)) throw error;
    });
    assert.ok(server.largestRead <= 8192);
  });
  await fc.assert(property, { numRuns: 1000 });
});

const nbdkit = ['/usr/bin/nbdkit', '/usr/sbin/nbdkit'].find(existsSync);
test('nbdkit is understood over a real socket', {
  skip: nbdkit === undefined ? 'nbdkit is not installed' : false,
}, async () => {
  assert.ok(nbdkit);
  const directory = mkdtempSync(join(tmpdir(), 'yado-nbd-'));
  const path = join(directory, 'socket');
  const log = join(directory, 'ready');
  execFileSync('mkfifo', [log]);
  const server = spawn(
    nbdkit,
    ['--foreground', '--unix', path, '--exit-with-parent', '--pidfile', log, 'memory', '64M'],
    {
      stdio: 'ignore',
    },
  );
  try {
    execFileSync('head', ['-c1', log]); // the pid file is written when the socket is ready
    using client = new OwnedFd(socket(1, 1 | 0x800)); // AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK
    const address = Buffer.alloc(110);
    address.writeUInt16LE(1, 0);
    address.write(path, 2);
    connect(client.fd, address, path);
    const found = await nbdHandshake(streamOf(client.fd, 5000, 'NBD handshake'), '');
    assert.equal(found.sizeBytes, 64 << 20);
  } finally {
    const exited = once(server, 'exit');
    server.kill();
    await exited;
    rmSync(directory, { recursive: true, force: true });
  }
});
