// A CUSE device with the test in the place of the kernel: who waits, who is refused, who is woken.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { type TestContext, test } from 'node:test';
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
      const count = Math.min(data.length, state.room);
      state.room -= count;
      log.push(Buffer.from(data.subarray(0, count)).toString());
      return count;
    },
    hasRoom: () => state.room > 0,
    read: () => new Uint8Array(0),
    ioctl: command => (command === 7 ? Buffer.from('four') : undefined),
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
  return { kernel, device, log };
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
