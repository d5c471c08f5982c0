// Settings of the agent: which computer it starts on, which OS it is part of, which other computers it knows.
// Read once from a file in memory; the copy in /etc is never touched while the agent runs.
import { readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import * as v from 'valibot';
import { deviceClassNames } from '#core/device-class.ts';
import { DiskNameSchema } from '#core/disk-wish.ts';
import { yadoError } from '#core/errors.ts';
import { NameSchema as Name } from '#core/pins.ts';

const Ipv4 = v.pipe(v.string(), v.ipv4('an IPv4 address'));
const Ipv4WithPrefix = v.pipe(
  v.string(),
  v.regex(/^\d+\.\d+\.\d+\.\d+\/\d+$/, 'an IPv4 address with prefix length'),
);

/** What a class can be told by a person, such as `[printer]`; its folder checks it when it looks for devices. */
const Classes = v.partial(
  v.strictObject(v.entriesFromList(deviceClassNames, v.record(v.string(), v.unknown()))),
);

const ConfigSchema = v.strictObject({
  computer: v.strictObject({ name: Name, address: Ipv4WithPrefix }),
  os: v.optional(v.strictObject({ id: Name })),
  ...Classes.entries,
  computers: v.optional(
    v.array(
      v.strictObject({
        name: Name,
        address: Ipv4,
        /** Of its disks the one that the OS may have (`--disk=follow`). */
        disk: v.exactOptional(DiskNameSchema),
      }),
    ),
    [],
  ),
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
