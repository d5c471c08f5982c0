// A computer as an OS knows it. Pure.
import * as v from 'valibot';

const Text = v.pipe(v.string(), v.maxLength(256));

export const ComputerSchema = v.strictObject({
  name: Text,
  /** Machine address, IPv4, without prefix length. */
  address: Text,
  /** Of that address; not known of a computer that the OS has never been on. */
  prefixLength: v.exactOptional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(32))),
});
export type Computer = Readonly<v.InferOutput<typeof ComputerSchema>>;
