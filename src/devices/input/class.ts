// The class `input`: keyboard and pointer. Every OS has them, whatever is plugged in.
import type { ClassOfDevices } from '../device.ts';
import { InputDevices } from './input.ts';

export const deviceClass = {
  probe: ({ remembered }) => new InputDevices(remembered),
} satisfies ClassOfDevices<'input'>;
