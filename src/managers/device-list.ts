// The devices of the OS, one line a class. The order is that of leaving; coming back is the reverse.
import type { Device } from '#devices/device.ts';
import { rootDisk } from '#devices/disk/disk.ts';
import { display } from '#devices/display/display.ts';
import { InputDevices } from '#devices/input/input.ts';
import { NetworkDevice } from '#devices/network/network.ts';
import { printer } from '#devices/printer/printer.ts';

/**
 * Finds the devices of this OS by probing. `machineAddress` gives the address of the computer it is on, `remembered`
 * what a former agent of this OS left in `Device.memory`, `printerUri` the IPP printer to print on, if one was named.
 */
export function probeDevices(
  machineAddress: () => string,
  remembered: Readonly<Record<string, unknown>> = {},
  printerUri?: string,
): Device[] {
  const devices: (Device | undefined)[] = [
    rootDisk(remembered.disk0),
    printer(remembered.printer0, printerUri),
    display(remembered.display0),
    new InputDevices(remembered.input0),
    new NetworkDevice(machineAddress, remembered.network0),
  ];
  return devices.filter(each => each !== undefined);
}

/**
 * All devices once more, in their order: a printer may be plugged in while the OS runs. `known` itself when nothing has
 * come; what has gone stays, for it may come again.
 */
export function lookAgain(
  known: readonly Device[],
  find: () => Device | undefined = printer,
): readonly Device[] {
  if (known.some(each => each.id === 'printer0')) return known;
  const found = find();
  if (!found) return known;
  return known.toSpliced(known.findIndex(each => each.id === 'disk0') + 1, 0, found);
}
