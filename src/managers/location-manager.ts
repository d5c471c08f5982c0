// The location manager: keeps the device location table (Fig. 7) and carries a request to the computer that has a
// device. For disks and networks the bytes never pass here: it only finds out where they are to be had.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterArrival, type DeviceLocationTable } from '#core/device-location-table.ts';
import type { WayDecision } from '#core/device-ways.ts';
import { asYadoError, YadoError } from '#core/errors.ts';
import type { Computer } from '#devices/device.ts';
import { type ControlAnswer, type ControlRequest, type ControlType, controlPort } from '#wire/control.ts';
import { ask } from './control-client.ts';

export class LocationManager {
  table: DeviceLocationTable;

  constructor(devices: readonly string[], computer: string, epoch: number) {
    this.table = devices.map(device => ({ device, computer, epoch }));
  }

  /** After the OS arrived: replaceable devices are here now, the others where the ways say. */
  arrived(here: string, epoch: number, ways: readonly WayDecision[]): void {
    this.table = afterArrival(
      this.table,
      here,
      epoch,
      ways.filter(each => each.computer === here).map(each => each.device),
    );
  }
}

/**
 * Asks the agent of another computer until it answers as wanted; a computer that is away for a while is waited for.
 * `complain` is told once of an answer that no waiting mends by itself.
 */
export async function askUntilAnswered<T extends ControlType>(
  here: Computer,
  there: Computer,
  type: T,
  request: ControlRequest<T>,
  wanted: (answer: ControlAnswer<T>) => boolean,
  signal: AbortSignal,
  complain: (error: YadoError) => void = () => {},
): Promise<ControlAnswer<T>> {
  for (let told = false; ; ) {
    signal.throwIfAborted();
    try {
      const answer = await ask(
        { ip: there.address, port: controlPort, localIp: here.address, name: there.name },
        type,
        request,
        { timeoutMs: 3000, signal },
      );
      if (wanted(answer)) return answer;
    } catch (error) {
      if (signal.aborted) throw error;
      const passing = error instanceof YadoError && ['unreachable', 'busy'].includes(error.family);
      if (!passing && !told) complain(asYadoError(error, there.name));
      told ||= !passing;
    }
    await sleep(100, undefined, { signal });
  }
}
