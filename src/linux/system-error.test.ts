// What a failing system call tells.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { C } from '#linux/abi.ts';
import { close, ioctl, open, poll, read, socketPair, unshare, waitFd } from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';

test('a failing call names itself, its path and the errno', () => {
  assert.throws(() => open('/nonexistent/file', C.O_RDONLY), {
    name: 'SystemError',
    call: 'open',
    code: 'ENOENT',
    path: '/nonexistent/file',
    message: 'open /nonexistent/file: no such file or directory',
  });
  assert.throws(() => close(-1), { code: 'EBADF' });
  assert.throws(() => unshare(1), { code: 'EINVAL' });
});

test('read, poll and ioctl reach the kernel', () => {
  using zero = new OwnedFd(open('/dev/zero', C.O_RDONLY));
  const buffer = Buffer.alloc(8, 1);
  assert.equal(read(zero.fd, buffer), 8);
  assert.deepEqual(buffer, Buffer.alloc(8));
  assert.equal(poll(zero.fd, C.POLLIN, 0), C.POLLIN);
  assert.throws(() => ioctl(zero.fd, C.BLKGETSIZE64, buffer, 'size of /dev/zero'), { code: 'ENOTTY' });
});

test('a taken descriptor is not closed by its former owner', () => {
  let fd: number;
  {
    using owner = new OwnedFd(open('/dev/null', C.O_RDONLY));
    fd = owner.take();
    assert.throws(() => owner.fd, /taken/);
  }
  close(fd); // would throw EBADF
});

test('waiting for a descriptor ends by time-out or abort, and says for what', async () => {
  const [a, b] = socketPair();
  using left = new OwnedFd(a);
  using right = new OwnedFd(b);
  await assert.rejects(waitFd(left.fd, 'readable', { timeoutMs: 20, what: 'the word' }), {
    code: 'ETIMEDOUT',
    call: 'the word',
  });
  const reason = new Error('cancelled');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(waitFd(left.fd, 'readable', { timeoutMs: 1000, signal, what: 'x' }), reason);
  await waitFd(right.fd, 'writable', { timeoutMs: 1000, what: 'x' });
});

test('a wait ends when the descriptor is ready, not when Node happens to wake', async () => {
  const [a, b] = socketPair();
  using left = new OwnedFd(a);
  using right = new OwnedFd(b);
  let woken = false;
  const timer = setTimeout(() => (woken = true), 5000);
  // Another process writes, and stays: nothing of it wakes our event loop.
  const writer = spawn('sh', ['-c', 'sleep 0.2; echo x >&3; exec sleep 20'], {
    stdio: ['ignore', 'ignore', 'ignore', left.fd],
  });
  await waitFd(right.fd, 'readable', { timeoutMs: 10_000, what: 'the word' });
  writer.kill();
  clearTimeout(timer);
  assert.equal(woken, false);
});
