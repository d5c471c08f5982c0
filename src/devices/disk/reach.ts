// A disk on another computer: asked for until it is served, connected to anew when the connection broke, and given up when the
// OS has it elsewhere.
import { setTimeout as sleep } from 'node:timers/promises';
import { asYadoError, yadoError } from '#core/errors.ts';
import { askUntilAnswered } from '#managers/location-manager.ts';
import type { Arrival, DeviceThere } from '../device.ts';
import { attachAgain, isConnectionLost, type RemoteDisk } from './driver.ts';
import { exportNameOf } from './serve.ts';

/** A server that is ended has to write out what it was given. */
const releaseMs = 20_000;
/** The connection is looked at so often. */
const keepMs = 1000;

/** Tries for as long as it takes: programs wait for the disk, and nothing is gained by letting them fail. */
export async function reach<T>(
  { peer, osId, device, epoch }: DeviceThere,
  sizeBytes: number,
  signal: AbortSignal,
  say: Arrival['say'],
  attach: (where: RemoteDisk) => Promise<T>,
): Promise<T> {
  const { name, ip, localIp } = peer;
  const exportName = exportNameOf(device, osId, epoch);
  let said = false;
  for (;;) {
    const served = await askUntilAnswered(
      peer,
      'device',
      { osId, device, epoch },
      answer => answer.ready,
      signal,
      error => say(`${device}: ${error.message}`),
    );
    if (served.exportName !== exportName) throw yadoError('diskUnreachable', { device, computer: name });
    try {
      const { port, secret, cipher } = served;
      return await attach({ ip, port, exportName, secret, cipher, localIp, sizeBytes });
    } catch (error) {
      if (signal.aborted) throw error;
      if (!said) say(`${device}: ${name} does not serve it yet: ${asYadoError(error, name).message}`);
      said = true;
      await sleep(200, undefined, { signal });
    }
  }
}

/** Makes a connection that broke anew, from where the disk was left: its computer was away, or starts its standby. */
export async function keepConnected(
  there: DeviceThere,
  sizeBytes: number,
  signal: AbortSignal,
  say: Arrival['say'],
): Promise<void> {
  const { device, peer } = there;
  while (!signal.aborted) {
    await sleep(keepMs, undefined, { signal }).catch(() => {});
    if (signal.aborted || !isConnectionLost()) continue;
    say(`${device}: the connection to ${peer.name} is lost; programs wait`);
    await reach(there, sizeBytes, signal, say, where => attachAgain(where, signal)).catch(() => {});
    if (!signal.aborted) say(`${device}: connected to ${peer.name} again`);
  }
}

/**
 * The computer that had the disk need not keep it for the OS any more: it is told until it answers, be it that it knows of no
 * disk (any more). False: it has not answered before `signal`. Never rejects.
 */
export async function release(
  { peer, osId, device, epoch }: DeviceThere,
  signal: AbortSignal,
  say: Arrival['say'],
): Promise<boolean> {
  const always = (): boolean => true;
  const answered = new AbortController();
  const complain = (error: Error): void => {
    say(`${device}: ${error.message}`);
    answered.abort();
  };
  const until = AbortSignal.any([signal, answered.signal]);
  try {
    await askUntilAnswered(peer, 'diskReleased', { osId, device, epoch }, always, until, complain, releaseMs);
    say(`${device}: ${peer.name} is not needed for it any more`);
    return true;
  } catch {
    return answered.signal.aborted;
  }
}
