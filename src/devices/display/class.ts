// The class `display`: every OS has one, if only to be lent one.
import type { ClassOfDevices } from '../device.ts';
import { display } from './display.ts';

export const deviceClass = {
  probe: ({ remembered }) => display(remembered),
} satisfies ClassOfDevices<'display'>;
