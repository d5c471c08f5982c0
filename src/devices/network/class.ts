// The class `network`: the bridge with the OS's addresses, and the card of the computer below it.
import type { ClassOfDevices } from '../device.ts';
import { NetworkDevice } from './network.ts';

export const deviceClass = {
  probe: ({ machineAddress, remembered }) => new NetworkDevice(machineAddress, remembered),
} satisfies ClassOfDevices<'network'>;
