// Settings of the agent: which computer it starts on, which OS it is part of, which other computers it knows.
// Read once from a file in memory; the copy in /etc is never touched while the agent runs.
import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import * as v from 'valibot';
import { yadoError } from '#core/errors.ts';

const Name = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9][a-z0-9-]{0,62}$/i, 'a name has letters, digits and dashes'),
);
const Ipv4 = v.pipe(v.string(), v.ipv4('an IPv4 address'));
const Ipv4WithPrefix = v.pipe(
  v.string(),
  v.regex(/^\d+\.\d+\.\d+\.\d+\/\d+$/, 'an IPv4 address with prefix length'),
);

/** A ghost has no name service: the printer's address is a number. */
const IppUri = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(
    /^ipp:\/\/(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])(:\d+)?\/\S*$/i,
    'such as "ipp://192.0.2.7/ipp/print", the address as a number',
  ),
);

const ConfigSchema = v.strictObject({
  computer: v.strictObject({ name: Name, address: Ipv4WithPrefix }),
  os: v.optional(v.strictObject({ id: Name })),
  /** Jobs go to this IPP printer instead of one at a port. */
  printer: v.optional(v.strictObject({ uri: IppUri })),
  computers: v.optional(v.array(v.strictObject({ name: Name, address: Ipv4 })), []),
});
export type Config = v.InferOutput<typeof ConfigSchema>;

export const configPath = '/run/yado/config.toml';

/** @throws YadoError `badConfig` naming the first thing that is wrong */
export function readConfig(path = configPath): Config {
  const fail = (reason: string) =>
    yadoError('badConfig', { file: '/etc/yadokari/config.toml', computer: 'this computer', reason });
  let value: unknown;
  try {
    value = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw fail(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error));
  }
  const result = v.safeParse(ConfigSchema, value);
  if (!result.success) throw fail(v.summarize(result.issues).replaceAll('\n', ' '));
  return result.output;
}
