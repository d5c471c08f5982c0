// Somebody on the network of a disk that is served (TCP 10809): without the key nobody gets to it, whatever they say or have
// recorded. Who is invited, and how often: src/devices/disk/connections.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { diskHello } from '../../src/devices/disk/driver.ts';
import { hasTls, hello, host, openDisk, shouted } from '../../src/devices/disk/fake-disk.ts';
import { attacks, relay, tlsRecord, unchanged } from './relay.ts';

/** What a client of NBD that knows no better says, and what looks like TLS. */
const strange: Readonly<Record<string, Buffer>> = {
  'the hello in the clear': diskHello,
  'the options of NBD': Buffer.concat([
    Buffer.from('00000001', 'hex'),
    Buffer.from('IHAVEOPT'),
    Buffer.from('000000010000000c', 'hex'),
    Buffer.from('crab-disk0-7'),
  ]),
  'half a hello': diskHello.subarray(0, 4),
  'a record that says it is longer than any': Buffer.concat([
    Buffer.from('170303ffff', 'hex'),
    Buffer.alloc(70_000),
  ]),
  'a record of nothing': Buffer.from('1703030000', 'hex'),
  'a handshake of TLS': Buffer.concat([Buffer.from('160301002f01', 'hex'), Buffer.alloc(46)]),
};
for (const [what, bytes] of Object.entries(strange))
  test(`disk, ${what}: nothing comes back, and nothing is served`, async () => {
    await using disk = openDisk({});
    disk.connections.invite();
    assert.equal(await shouted(disk.port, bytes, true), '');
    assert.ok(disk.connections.isAlive);
  });

if (hasTls) {
  test('a connection that was recorded and is played again is not heard', async () => {
    await using disk = openDisk();
    await using between = await relay({ host, port: 0 }, { host, port: disk.port }, tlsRecord, unchanged);
    {
      const { socket, stream } = await hello(between.port, disk.connections.invite());
      using _ = socket;
      await stream.read(7);
    }
    const recorded = Buffer.concat(between.recorded);
    assert.ok(recorded.length > diskHello.length && !recorded.includes(diskHello));
    assert.equal(await shouted(disk.port, recorded), '');
    disk.connections.invite();
    assert.equal(await shouted(disk.port, recorded), '');
  });

  for (const what of ['replayed', 'truncated', 'bit-flipped', 'oversized'])
    test(`the hello ${what} on the way: nobody is served in its place, and the next one is`, async () => {
      await using disk = openDisk();
      const attack = attacks(0, 3, 2)[what];
      assert.ok(attack);
      await using between = await relay({ host, port: 0 }, { host, port: disk.port }, tlsRecord, attack());
      {
        const { socket, stream } = await hello(between.port, disk.connections.invite());
        using _ = socket;
        if (what === 'replayed')
          await stream.read(7); // the repetition ends it: the server reads what is none of ours
        else await assert.rejects(stream.read(1));
      }
      const { socket, stream } = await hello(disk.port, disk.connections.invite());
      using _ = socket;
      assert.equal((await stream.read(7)).toString(), 'served\n');
    });
}
