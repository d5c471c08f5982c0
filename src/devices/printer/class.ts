// The class `printer`: one that is named in config.toml, or the one at a port, also when it is plugged in later.
import * as v from 'valibot';
import type { ClassOfDevices } from '../device.ts';
import { printer } from './printer.ts';

/** A ghost has no name service: the printer's address is a number. */
const IppUri = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(
    /^ipp:\/\/(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])(:\d+)?\/\S*$/i,
    'such as "ipp://192.0.2.7/ipp/print", the address as a number',
  ),
);

/** Jobs go to this IPP printer instead of one at a port. */
const SettingsSchema = v.strictObject({ uri: IppUri });

export const deviceClass = {
  probe: ({ remembered, settings }) => printer(remembered, settings?.uri),
  mayComeLater: true,
  settings: SettingsSchema,
} satisfies ClassOfDevices<'printer', v.InferOutput<typeof SettingsSchema>>;
