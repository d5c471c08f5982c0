// The class `disk`: the disk under the root file system, when that lies on a stub.
import type { ClassOfDevices } from '../device.ts';
import { rootDisk } from './disk.ts';

export const deviceClass = {
  probe: ({ remembered }) => rootDisk(remembered),
} satisfies ClassOfDevices<'disk'>;
