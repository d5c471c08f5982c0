// Moves while somebody sends what they like to the claim port (UDP 7401), and targets that promise what they do not have:
// there is one owner all the same, and the right one. The stream (TCP 7402): encrypted.test.ts, target.test.ts.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { claim, wireVersion } from '#wire/frames.ts';
import { signClaim } from '../../src/agent/claim-mac.ts';
import { logOf, waitForLog } from './test/helpers.ts';
import { live, withMemory } from './test/memory.ts';
import { claimKey, ip, move, needsRoot, pastClaim, runsAt } from './test/world.ts';

const { offsets, kinds } = claim;
type Kind = keyof typeof kinds;

function datagram(kind: Kind, epoch: number, key: Uint8Array): Buffer {
  const bytes = Buffer.alloc(claim.bytes);
  bytes.writeUInt32LE(claim.magic, offsets.magic);
  bytes.writeUInt16LE(wireVersion, offsets.version);
  bytes.writeUInt16LE(kinds[kind], offsets.kind);
  bytes.writeBigUInt64LE(BigInt(epoch), offsets.epoch);
  bytes.writeBigUInt64LE(1n, offsets.sequence);
  signClaim(key, bytes);
  return bytes;
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
  return changed;
}

const mine = datagram('claim', 42, claimKey);
const wrongKey = new Uint8Array(32).fill(0x78);
const attacks: Readonly<Record<string, readonly Buffer[]>> = {
  'with a wrong key': (['claim', 'grant', 'refuse'] as const).flatMap(kind =>
    [41, 42, 43].map(epoch => datagram(kind, epoch, wrongKey)),
  ),
  'with the key of another move': [
    datagram('claim', 42, pastClaim.key),
    datagram('claim', pastClaim.epoch, claimKey),
  ],
  truncated: [mine.subarray(0, -1), mine.subarray(0, 32), Buffer.alloc(0)],
  'bit-flipped': Object.values(offsets).map(at => flipped(mine, at)),
  oversized: [Buffer.concat([mine, Buffer.alloc(1)]), Buffer.concat([mine, mine]), Buffer.alloc(60_000)],
};
for (const [what, datagrams] of Object.entries(attacks))
  test(
    `claims ${what} during a move: none is answered, the OS runs at B, and only there`,
    needsRoot,
    async () => {
      const attacker = createSocket('udp4').bind(0, ip);
      await once(attacker, 'listening');
      let answers = 0;
      attacker.on('message', () => answers++);
      await using world = await move({ aFaults: ['copy.arrive:delay=100'] });
      const timer = setInterval(() => {
        for (const each of datagrams) attacker.send(each, world.claimPort, ip);
      }, 5);
      const report = await world.a.report;
      await waitForLog(world.folder, 'copy unfreeze');
      clearInterval(timer);
      // Whatever was sent was read before this, which is answered.
      attacker.send(mine, world.claimPort, ip);
      await once(attacker, 'message', { signal: AbortSignal.timeout(5000) });
      attacker.close();
      assert.deepEqual([report.outcome, report.reason], ['arrived', 'none']);
      assert.deepEqual(runsAt(logOf(world.folder)), ['B']);
      assert.equal(answers, 1);
    },
  );

test(
  'claims replayed, of a move before and of this one: refused, and granted once more to nobody',
  needsRoot,
  async () => {
    const attacker = createSocket('udp4').bind(0, ip);
    await once(attacker, 'listening');
    const answered = async (bytes: Buffer, port: number): Promise<number> => {
      attacker.send(bytes, port, ip);
      const [answer] = (await once(attacker, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
      return answer.readUInt16LE(offsets.kind);
    };
    await using world = await move();
    const report = await world.a.report;
    assert.equal(report.outcome, 'arrived');
    await waitForLog(world.folder, 'copy unfreeze');
    const before = logOf(world.folder);
    const past = datagram('claim', pastClaim.epoch, pastClaim.key);
    for (let times = 0; times < 3; times++) {
      assert.equal(await answered(past, world.claimPort), kinds.refuse);
      assert.equal(await answered(mine, world.claimPort), kinds.grant); // final, and repeatable; nobody but the copy can use it
    }
    attacker.close();
    assert.deepEqual(logOf(world.folder), before);
    assert.deepEqual(runsAt(before), ['B']);
  },
);

test(
  'B lies about its memory, it holds less than it promised: the OS goes on at A, and it is said',
  needsRoot,
  async () => {
    await using world = await move(withMemory(live, { bParkPages: 100 }));
    const report = await world.a.report;
    assert.deepEqual([report.outcome, report.reason], ['returned', 'protocol']);
    assert.match(report.text, /a slot that was not promised/);
    assert.deepEqual(runsAt(logOf(world.folder)), ['A']);
    assert.ok(!logOf(world.folder).includes('B freeze'));
  },
);
