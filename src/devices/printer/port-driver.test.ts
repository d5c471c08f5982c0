// The driver for ports against ports that behave as lp and usblp do when something is wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Piece } from './driver.ts';
import { type Port, PortDriver } from './port-driver.ts';
import { statusWords } from './translate.ts';

const place = { kind: 'usb', name: 'lp0', identity: '' } as const;
const { signal } = new AbortController();
const error = (code: string): Error => Object.assign(new Error(code), { code });
const piece = (first: number, data: string): Piece => ({ first, data: Buffer.from(data), delivered: first });

class FakePort implements Port {
  readonly buffers: boolean;
  printed = '';
  /** usblp: given, but not taken by the printer yet. */
  pending = '';
  portStatus = 0xdf;
  most = 1000;
  fails: string | undefined;
  closed = 0;

  constructor(buffers: boolean) {
    this.buffers = buffers;
  }

  async write(data: Uint8Array): Promise<number> {
    if (this.fails) throw error(this.fails);
    const taken = Buffer.from(data.subarray(0, this.most)).toString();
    if (this.buffers) this.pending = taken;
    else this.printed += taken;
    return taken.length;
  }

  async drained(timeoutMs: number): Promise<boolean> {
    if (this.fails === 'ENODEV') throw error('ENODEV');
    if (this.fails) {
      await new Promise(resolve => setTimeout(resolve, Math.min(timeoutMs, 50)));
      return false;
    }
    this.printed += this.pending;
    this.pending = '';
    return true;
  }

  async status(): Promise<number> {
    return this.portStatus;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.pending = '';
    this.closed++;
  }
}

const driverOf = (port: FakePort): PortDriver => new PortDriver(place, 60, async () => port);

for (const buffers of [false, true]) {
  const kind = buffers ? 'usblp' : 'lp';

  test(`${kind}: a printer that takes a little at a time gets every byte once`, async () => {
    const port = new FakePort(buffers);
    port.most = 3;
    const answer = await driverOf(port).print(piece(5, 'abcdefgh'), signal);
    assert.deepEqual([answer.delivered, answer.received], [13, 13]);
    assert.equal(port.printed, 'abcdefgh');
  });

  test(`${kind}: out of paper holds up nobody, and it goes on with paper`, async () => {
    const port = new FakePort(buffers);
    const driver = driverOf(port);
    port.fails = 'ENOSPC';
    port.portStatus = 0x30;
    const started = performance.now();
    const answer = await driver.print(piece(0, 'abc'), signal);
    assert.ok(performance.now() - started < 1000);
    assert.equal(answer.delivered, 0);
    assert.equal(statusWords(answer.status), 'out of paper');
    port.fails = undefined;
    port.portStatus = 0xdf;
    assert.equal((await driver.print(piece(0, 'abc'), signal)).delivered, 3);
    assert.equal(port.printed, 'abc');
  });

  test(`${kind}: a printer that was unplugged is opened anew and gets what is missing`, async () => {
    const port = new FakePort(buffers);
    const driver = driverOf(port);
    await driver.print(piece(0, 'abc'), signal);
    port.fails = 'ENODEV';
    await assert.rejects(driver.print(piece(3, 'def'), signal), /ENODEV/);
    assert.equal(port.closed, 1);
    port.fails = undefined;
    assert.equal((await driver.print(piece(3, 'def'), signal)).delivered, 6);
    assert.equal(port.printed, 'abcdef');
  });
}

test('lp: a slow printer can be stopped soon in the middle of a long piece, and every byte it took is counted', async () => {
  const port = new FakePort(false);
  port.most = 100_000;
  const write = port.write.bind(port);
  port.write = async data => {
    await new Promise(resolve => setTimeout(resolve, data.length));
    return write(data);
  };
  const stop = new AbortController();
  const printing = new PortDriver(place, 60_000, async () => port).print(
    piece(0, 'x'.repeat(8192)),
    stop.signal,
  );
  await new Promise(resolve => setTimeout(resolve, 1000));
  stop.abort();
  const stopped = performance.now();
  const { delivered } = await printing;
  assert.ok(performance.now() - stopped < 500);
  assert.equal(delivered, port.printed.length);
  assert.ok(delivered > 0 && delivered < 8192);
});

test('usblp: what the port has is not given to it again, and a move waits for it', async () => {
  const port = new FakePort(true);
  const driver = driverOf(port);
  const write = port.write.bind(port);
  port.write = async data => {
    const count = await write(data);
    port.fails = 'EAGAIN';
    return count;
  };
  assert.equal((await driver.print(piece(0, 'abc'), signal)).delivered, 0);
  assert.equal((await driver.print(piece(0, 'abcdef'), signal)).delivered, 0);
  assert.equal(port.pending, 'abc');
  assert.equal(await driver.settle(0), undefined, 'nobody knows');
  port.fails = undefined;
  assert.equal(await driver.settle(0), 3);
  assert.equal(port.printed, 'abc');
});

test('a port is free for others while nothing is printed, and others are waited for', async () => {
  const port = new FakePort(false);
  let isBusy = false;
  const driver = new PortDriver(place, 30, async () => {
    if (isBusy) throw error('EBUSY');
    return port;
  });
  await driver.print(piece(0, 'abc'), signal);
  assert.equal(port.closed, 0);
  await driver.print(piece(3, ''), signal);
  assert.equal(port.closed, 1);
  isBusy = true;
  assert.equal((await driver.print(piece(3, 'def'), signal)).delivered, 3);
  isBusy = false;
  assert.equal((await driver.print(piece(3, 'def'), signal)).delivered, 6);
});

test('what was printed counts, also when the printer goes in the middle or does not say how it is', async () => {
  const port = new FakePort(false);
  const driver = driverOf(port);
  port.most = 2;
  const write = port.write.bind(port);
  port.write = async data => {
    if (port.printed.length === 4) throw error('ENODEV');
    return write(data);
  };
  port.status = async () => {
    throw error('EIO');
  };
  assert.equal((await driver.print(piece(0, 'abcdef'), signal)).delivered, 4);
  await assert.rejects(driver.print(piece(4, 'ef'), signal), /ENODEV/);
  port.write = write;
  assert.equal((await driver.print(piece(4, 'ef'), signal)).delivered, 6);
  assert.equal(port.printed, 'abcdef');
});
