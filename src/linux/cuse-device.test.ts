// A CUSE device with the test in the place of the kernel: who waits, who is refused, who is woken.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { C } from '#linux/abi.ts';
import { CuseDevice, type CuseHandlers } from '#linux/cuse-device.ts';
import { close, fcntl, read, socketPair, waitFd, write } from '#linux/ffi.ts';
import { fuseOpcodes } from '#linux/fuse-messages.ts';

const { EAGAIN, EBUSY, EINTR, EIO, ENOSYS, ENOTTY } = constants.errno;

/** The kernel's side of /dev/cuse. */
class Kernel {
  readonly #fd: number;
  #lastUnique = 1n;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Returns the number of the request. */
  send(opcode: number, body: Buffer = Buffer.alloc(0)): bigint {
    const unique = ++this.#lastUnique;
    const head = Buffer.alloc(40);
    head.writeUInt32LE(40 + body.length, 0);
    head.writeUInt32LE(opcode, 4);
    head.writeBigUInt64LE(unique, 8);
    write(this.#fd, Buffer.concat([head, body]));
    return unique;
  }

  /** One reply: the error (0: none), whose it is, and what it carries. */
  async reply(): Promise<{ error: number; unique: bigint; body: Buffer }> {
    await waitFd(this.#fd, 'readable', { timeoutMs: 2000, what: 'a reply' });
    const buffer = Buffer.alloc(4096);
    const whole = buffer.subarray(0, read(this.#fd, buffer));
    assert.equal(whole.readUInt32LE(0), whole.length);
    return {
      error: 0 - whole.readInt32LE(4),
      unique: whole.readBigUInt64LE(8),
      body: whole.subarray(16),
    };
  }

  async ask(opcode: number, body?: Buffer): Promise<{ error: number; body: Buffer }> {
    const unique = this.send(opcode, body);
    const reply = await this.reply();
    assert.equal(reply.unique, unique);
    return reply;
  }
}

function writeBody(text: string, flags = 0): Buffer {
  const head = Buffer.alloc(40);
  head.writeUInt32LE(text.length, 16);
  head.writeUInt32LE(flags, 32);
  return Buffer.concat([head, Buffer.from(text)]);
}

function pollBody(wake: bigint): Buffer {
  const body = Buffer.alloc(24);
  body.writeBigUInt64LE(wake, 8);
  body.writeUInt32LE(1, 16);
  return body;
}

/** A device with room for `room` bytes, for one program at a time. */
async function makeDevice(context: TestContext, state: { room: number }) {
  const [mine, theirs] = socketPair(C.SOCK_SEQPACKET);
  for (const fd of [mine, theirs]) fcntl(fd, C.F_SETFL, C.O_NONBLOCK);
  const kernel = new Kernel(mine);
  kernel.send(fuseOpcodes.cuseInit);
  const log: string[] = [];
  let isOpen = false;
  const handlers: CuseHandlers = {
    open() {
      if (isOpen) return -EBUSY;
      isOpen = true;
      return 0;
    },
    release: () => {
      isOpen = false;
      log.push('released');
    },
    write(data) {
      if (data[0] === 0) throw new Error('disk full');
      const count = Math.min(data.length, state.room);
      state.room -= count;
      log.push(Buffer.from(data.subarray(0, count)).toString());
      return count;
    },
    hasRoom: () => state.room > 0,
    read: () => new Uint8Array(0),
    ioctl: command => {
      if (command === 8) throw new RangeError('a device id of 70000 bytes');
      return command === 7 ? Buffer.from('four') : undefined;
    },
    failed: error => log.push(String(error)),
  };
  const device = await CuseDevice.serve(
    'usb/lp0',
    handlers,
    () => log.push('ended'),
    () => theirs,
  );
  assert.equal((await kernel.reply()).error, 0);
  context.after(() => {
    device[Symbol.dispose]();
    close(mine);
  });
  return { kernel, device, log, fd: mine };
}

test('one program at a time', async t => {
  const { kernel, log } = await makeDevice(t, { room: 100 });
  assert.equal((await kernel.ask(fuseOpcodes.open)).error, 0);
  assert.equal((await kernel.ask(fuseOpcodes.open)).error, EBUSY);
  assert.equal((await kernel.ask(fuseOpcodes.release)).error, 0);
  assert.equal((await kernel.ask(fuseOpcodes.open)).error, 0);
  assert.deepEqual(log, ['released']);
});

test('a writer waits for room, is woken by it, and can be interrupted', async t => {
  const state = { room: 3 };
  const { kernel, device, log } = await makeDevice(t, state);
  assert.equal((await kernel.ask(fuseOpcodes.write, writeBody('abcd'))).body.readUInt32LE(0), 3);
  assert.equal((await kernel.ask(fuseOpcodes.write, writeBody('d', C.O_NONBLOCK))).error, EAGAIN);
  const [first, second] = [
    kernel.send(fuseOpcodes.write, writeBody('de')),
    kernel.send(fuseOpcodes.write, writeBody('f')),
  ];
  assert.equal((await kernel.ask(fuseOpcodes.poll, pollBody(77n))).body.readUInt32LE(0), 0);
  const interrupt = Buffer.alloc(8);
  interrupt.writeBigUInt64LE(second);
  kernel.send(fuseOpcodes.interrupt, interrupt);
  const interrupted = await kernel.reply();
  assert.deepEqual([interrupted.unique, interrupted.error], [second, EINTR]);
  state.room = 10;
  device.roomAgain();
  const served = await kernel.reply();
  assert.deepEqual([served.unique, served.body.readUInt32LE(0)], [first, 2]);
  const wake = await kernel.reply();
  assert.deepEqual([wake.unique, wake.error, wake.body.readBigUInt64LE(0)], [0n, -1, 77n]);
  assert.equal((await kernel.ask(fuseOpcodes.poll, pollBody(77n))).body.readUInt32LE(0), 0x0104);
  assert.equal(log.join(''), 'abcde');
});

test('ioctls: known ones ask for the memory they fill; wild ones and unknown requests are refused', async t => {
  const { kernel } = await makeDevice(t, { room: 1 });
  const ioctl = (command: number, outBytes: number): Buffer => {
    const body = Buffer.alloc(32);
    body.writeUInt32LE(command, 12);
    body.writeUInt32LE(outBytes, 28);
    return body;
  };
  assert.equal((await kernel.ask(fuseOpcodes.ioctl, ioctl(7, 0))).body.readUInt32LE(4), 4);
  assert.equal((await kernel.ask(fuseOpcodes.ioctl, ioctl(7, 4))).body.subarray(16).toString(), 'four');
  assert.equal((await kernel.ask(fuseOpcodes.ioctl, ioctl(0xffff_ffff, 4))).error, ENOTTY);
  assert.equal((await kernel.ask(fuseOpcodes.ioctl, Buffer.alloc(3))).error, EIO);
  assert.equal((await kernel.ask(999)).error, ENOSYS);
});

function ioctlBody(command: number, argument: bigint, outBytes: number): Buffer {
  const body = Buffer.alloc(32);
  body.writeUInt32LE(command, 12);
  body.writeBigUInt64LE(argument, 16);
  body.writeUInt32LE(outBytes, 28);
  return body;
}

const u32 = fc.oneof(fc.constantFrom(0, 7, 8, 0xffff_ffff), fc.nat(0xffff_ffff));

test('wild ioctls: each is answered at once, none gets more than it has room for, the next one works', async t => {
  const { kernel } = await makeDevice(t, { room: 1 });
  await fc.assert(
    fc.asyncProperty(u32, fc.bigInt(0n, 2n ** 64n - 1n), u32, async (command, argument, outBytes) => {
      const { error, body } = await kernel.ask(fuseOpcodes.ioctl, ioctlBody(command, argument, outBytes));
      if (command === 7)
        assert.ok(outBytes >= 4 ? body.length === 20 : body.readBigUInt64LE(16) === argument);
      else assert.equal(error, command === 8 ? EIO : ENOTTY);
    }),
    { numRuns: 60 },
  );
});

test('any request at all is answered once, and the device goes on', async t => {
  const { kernel } = await makeDevice(t, { room: 2 ** 40 });
  const opcode = fc.oneof(fc.constantFrom(...Object.values(fuseOpcodes)), fc.nat(5000));
  await fc.assert(
    fc.asyncProperty(opcode, fc.uint8Array({ maxLength: 100 }), async (of, bytes) => {
      if (of !== fuseOpcodes.interrupt) await kernel.ask(of, Buffer.from(bytes));
      else kernel.send(of, Buffer.alloc(8, 0xff)); // about a request that is answered: no answer
      assert.equal((await kernel.ask(fuseOpcodes.ioctl, ioctlBody(7, 0n, 4))).error, 0);
    }),
    { numRuns: 100 },
  );
});

test('a handler that fails costs a program an error, not everybody the device', async t => {
  const state = { room: 100 };
  const { kernel, device, log } = await makeDevice(t, state);
  assert.equal((await kernel.ask(fuseOpcodes.write, writeBody('\0x'))).error, EIO);
  assert.equal((await kernel.ask(fuseOpcodes.ioctl, ioctlBody(8, 0n, 0))).error, EIO);
  assert.deepEqual(log, ['Error: disk full', 'RangeError: a device id of 70000 bytes']);
  state.room = 0;
  kernel.send(fuseOpcodes.write, writeBody('x'));
  const [first, second] = [
    kernel.send(fuseOpcodes.write, writeBody('\0y')),
    kernel.send(fuseOpcodes.write, writeBody('z')),
  ];
  await kernel.ask(fuseOpcodes.poll, pollBody(77n));
  state.room = 100;
  device.roomAgain();
  await kernel.reply();
  const refused = await kernel.reply();
  assert.deepEqual([refused.unique, refused.error], [first, EIO]);
  assert.equal((await kernel.reply()).unique, second);
});

test('a device that can no longer be served is closed: who waits in it gets an error from the kernel', async t => {
  const { kernel, device, log, fd } = await makeDevice(t, { room: 0 });
  kernel.send(fuseOpcodes.write, writeBody('waits'));
  write(fd, Buffer.from('no request'));
  await waitFd(fd, 'readable', { timeoutMs: 2000, what: 'the end' });
  assert.equal(read(fd, Buffer.alloc(10)), 0, 'closed');
  assert.equal(log.at(-1), 'ended');
  device.roomAgain(); // nobody is served any more
});
