// An OS and a computer that have never met, on the loopback. Used by tests only.
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Code } from '#core/api.ts';
import { newSecret } from '#managers/identity.ts';
import { pairingPort } from '#wire/pairing.ts';
import { ComputerKeyring } from './computer-keys.ts';
import { OsKeyring } from './os-keyring.ts';
import { osPairing } from './os-pairing.ts';
import { pairingHandlers } from './pairing-handlers.ts';
import { Pairings, type PairingTimes } from './pairings.ts';

export const usual: PairingTimes = { acceptMs: 20_000, exchangeMs: 5000 };

/** An OS at computer a and a computer b that have never met. @param seenAt where the OS looks for b */
export function strangers(
  context: TestContext,
  address: string,
  times = usual,
  called = 'b',
  seenAt = address,
) {
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), 'yado-pair-'));
    context.after(() => rmSync(path, { recursive: true }));
    return path;
  };
  const osFolder = folder();
  for (const name of ['os.key', 'computer.key']) writeFileSync(join(osFolder, name), newSecret());
  const osKeys = new OsKeyring('crab', 'a', osFolder);
  const here = { name: 'a', address: '127.0.0.1' };
  const there = { name: 'b', address: seenAt };
  const os = osPairing(
    { osId: 'crab', keys: osKeys, here: () => here, computer: () => there },
    new Pairings(times),
  );
  const computerKeys = new ComputerKeyring(folder());
  const screen: (readonly string[] | undefined)[] = [];
  const pairings = new Pairings(times);
  const computer = pairingHandlers(called, address, computerKeys, lines => screen.push(lines), pairings);
  context.after(async () => {
    await os.close();
    await pairings.close();
  });
  const accept = () => Promise.resolve(computer.accept?.()) as Promise<Code>;
  const pair = () => Promise.resolve(os.handlers.pair?.({ computer: 'b' })) as Promise<Code>;
  const confirmHere = async (code: string, agrees = true) => os.handlers.confirm?.({ code, agrees });
  const confirmThere = async (code: string, agrees = true) => computer.confirm?.({ code, agrees });
  return { osKeys, computerKeys, screen, accept, pair, confirmHere, confirmThere, here, there };
}

/** Waits until the computer listens. */
export async function connectTo(address: string): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect({ host: address, port: pairingPort });
    try {
      await once(socket, 'connect');
      socket.on('error', () => {});
      return socket;
    } catch (error) {
      if (tries > 500) throw error;
    }
  }
}
