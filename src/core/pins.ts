// What pairing leaves: keys pinned to names, on the side of the OS and on the side of a computer. Pure.
import * as v from 'valibot';

/** Base64url of 32 bytes. */
export const KeySchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/, 'a key'));
/** Of an OS or a computer; as in the configuration. */
export const NameSchema = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9-]{0,62}$/i, 'a name has letters, digits and dashes'),
);

export const PinSchema = v.strictObject({ name: NameSchema, key: KeySchema });
export type Pin = Readonly<v.InferOutput<typeof PinSchema>>;

/** A computer: its secret, and the OSes that may use it. */
export const ComputerKeysSchema = v.strictObject({
  secret: KeySchema,
  owners: v.pipe(v.array(PinSchema), v.maxLength(256)),
});
export type ComputerKeys = v.InferOutput<typeof ComputerKeysSchema>;

/** An OS as a computer speaks in its name that has its disk: its secret, and the computers it is paired with. */
export const AskerKeysSchema = v.strictObject({ secret: KeySchema, computers: v.array(PinSchema) });
export type AskerKeys = v.InferOutput<typeof AskerKeysSchema>;

/** A computer that an OS is paired with; without an address it is that of the configuration. */
export const PairedComputerSchema = v.strictObject({
  ...PinSchema.entries,
  address: v.exactOptional(v.pipe(v.string(), v.ipv4('an IPv4 address'))),
});
export type PairedComputer = Readonly<v.InferOutput<typeof PairedComputerSchema>>;

/** What an OS remembers: the computers it may move to, and who may use the computer it was installed on. */
export const PairedSchema = v.strictObject({
  computers: v.optional(v.array(PairedComputerSchema), []),
  owners: v.optional(v.array(PinSchema), []),
});
export type Paired = Readonly<v.InferOutput<typeof PairedSchema>>;

/** `list` with `pin` in place of what had its name. */
export function withPin<P extends Pin>(list: readonly P[], pin: P): P[] {
  return [...list.filter(each => each.name !== pin.name), pin];
}
