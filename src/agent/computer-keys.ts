// The keys of the computer this agent runs on, in a file in memory that all three roles use: a standby is given it by its
// initramfs, an OS leaves it to its ghost, a ghost to the standby after it.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { yadoError } from '#core/errors.ts';
import { AskerKeysSchema, type ComputerKeys, ComputerKeysSchema, type Pin, withPin } from '#core/pins.ts';
import { identityOf, newSecret, type OsKeys, type ServerKeys, serverKeys } from '#managers/identity.ts';

export const keysFolder = '/run/yado';
const fileOf = (folder: string): string => `${folder}/computer.json`;

/** Undefined when there are none. @throws YadoError `badConfig` */
export function readComputerKeys(folder = keysFolder): ComputerKeys | undefined {
  const file = fileOf(folder);
  return existsSync(file) ? parseKeys(ComputerKeysSchema, readFileSync(file, 'utf8'), file) : undefined;
}

/** Undefined when this computer was not started from the disk of an OS. @throws YadoError `badConfig` */
export function readAskerKeys(folder = keysFolder): OsKeys | undefined {
  const file = `${folder}/asker.json`;
  if (!existsSync(file)) return undefined;
  const { secret, computers } = parseKeys(AskerKeysSchema, readFileSync(file, 'utf8'), file);
  return {
    identity: identityOf(secret),
    pinOf: name => computers.find(each => each.name === name)?.key,
  };
}

/** Only root can read it. It is there whole or not at all. */
export function writeComputerKeys(keys: ComputerKeys, folder = keysFolder): void {
  writePrivately(fileOf(folder), JSON.stringify(keys));
}

export function writePrivately(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** @throws YadoError `badConfig` naming the file and what is wrong in it */
export function parseKeys<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  file: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, parsed(text), { abortEarly: true });
  if (result.success) return result.output;
  const reason = v.summarize(result.issues).slice(0, 200).replaceAll('\n', ' ');
  throw yadoError('badConfig', { file, computer: 'this computer', reason });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The keys of a computer without an OS: a ghost's or a standby's. */
export class ComputerKeyring {
  readonly #folder: string;
  #keys: ComputerKeys;
  #server: ServerKeys | undefined;

  /** Makes keys where there are none: then nobody may use this computer until it is paired. */
  constructor(folder = keysFolder) {
    this.#folder = folder;
    const known = readComputerKeys(folder);
    this.#keys = known ?? { secret: newSecret(), owners: [] };
    if (!known) writeComputerKeys(this.#keys, folder);
  }

  /** With the secret: for the OS that comes here, or the standby that comes after. */
  get keys(): ComputerKeys {
    return this.#keys;
  }

  get server(): ServerKeys {
    this.#server ??= serverKeys(this.#keys);
    return this.#server;
  }

  own(pin: Pin): void {
    this.#set(withPin(this.#keys.owners, pin));
  }

  /** @throws YadoError `unknownPair` */
  disown(name: string): void {
    if (!this.#keys.owners.some(each => each.name === name)) throw yadoError('unknownPair', { name });
    this.#set(this.#keys.owners.filter(each => each.name !== name));
  }

  #set(owners: Pin[]): void {
    this.#keys = { ...this.#keys, owners };
    this.#server = undefined;
    writeComputerKeys(this.#keys, this.#folder);
  }

  /** The OS is on another computer now. */
  replace(keys: ComputerKeys): void {
    identityOf(keys.secret); // throws when it is none
    this.#keys = keys;
    this.#set(keys.owners);
  }
}
