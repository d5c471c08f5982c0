// Requests and traffic that are no good: refused by name, and nothing changes.
import assert from 'node:assert/strict';
import { a, b, lab, story } from './told.ts';

story('bad requests are refused by name and change nothing', async () => {
  const unknown = await a.exec('yado migrate nowhere', { timeoutMs: 60_000 });
  assert.equal(unknown.code, 2);
  assert.match(unknown.output, /No computer named nowhere/);
  const onStandby = await b.exec('yado migrate a', { timeoutMs: 60_000 });
  assert.notEqual(onStandby.code, 0);
  assert.match(onStandby.output, /next: /);
  const dry = await a.shell('yado migrate b --dry-run', { timeoutMs: 60_000 });
  assert.match(dry, /Nothing was changed/);
  const doctor = await a.shell('yado doctor --with b', { timeoutMs: 60_000 });
  assert.match(doctor, /^disk0 +remote +a .*\n[\s\S]*The OS can move to b: yado migrate b/m);
  assert.match(await b.shell('yado doctor', { timeoutMs: 60_000 }), /Nothing here keeps this computer/);
  // Of a kind that cannot be swapped out.
  await a.shell(
    'mkdir /run/full && mount -t ramfs full /run/full && head -c 600M /dev/zero >/run/full/fill',
    { timeoutMs: 60_000 },
  );
  const full = await a.exec('yado migrate b', { timeoutMs: 60_000 });
  await a.shell('umount /run/full && rmdir /run/full');
  assert.equal(full.code, 4, full.output);
  assert.match(full.output, /an image can hold at most .* MiB, and the rest cannot be swapped out: /);
  const cancel = await a.exec('yado cancel', { timeoutMs: 60_000 });
  assert.match(cancel.output, /No migration is under way/);
});

story('garbage on every port stops nobody', async () => {
  for (const [address, port] of [
    ['10.77.0.1', 7400],
    ['10.77.0.2', 7400],
  ] as const) {
    await lab.third.run([
      'sh',
      '-c',
      `head -c 200000 /dev/urandom | timeout 5 nc -N ${address} ${port} >/dev/null; true`,
    ]);
    await lab.third.run([
      'sh',
      '-c',
      `head -c 1000 /dev/urandom | timeout 1 nc -u -w1 ${address} 7401 >/dev/null; true`,
    ]);
  }
  assert.equal((await a.exec('yado status', { timeoutMs: 60_000 })).code, 0);
  assert.equal((await b.exec('yado status', { timeoutMs: 60_000 })).code, 0);
});
