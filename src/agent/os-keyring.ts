// The keys of an OS: its own, those of the computers it is paired with, and all that the computer it is on has. Read from
// memory, where the service's prepare step has put them, and kept there; the disk is never touched here.
import { existsSync, readFileSync } from 'node:fs';
import { yadoError } from '#core/errors.ts';
import {
  type ComputerKeys,
  type Paired,
  type PairedComputer,
  PairedSchema,
  type Pin,
  withPin,
} from '#core/pins.ts';
import { type Identity, identityOf, newSecret, type OsKeys } from '#managers/identity.ts';
import {
  ComputerKeyring,
  keysFolder,
  parseKeys,
  readComputerKeys,
  writeComputerKeys,
  writePrivately,
} from './computer-keys.ts';

export class OsKeyring implements OsKeys {
  readonly identity: Identity;
  readonly #os: Pin;
  readonly #folder: string;
  /** Of the computer the OS was installed on: nobody has to pair these two. */
  readonly #firstSecret: string;
  readonly #first: Pin;
  readonly #computer: ComputerKeyring;
  #paired: Paired;

  /** @param first name of the computer the OS was installed on. @throws YadoError `badConfig` when a key is missing or damaged */
  constructor(osId: string, first: string, folder = keysFolder) {
    this.#folder = folder;
    this.identity = identityOf(readSecret(folder, 'os.key'));
    this.#os = { name: osId, key: this.identity.publicKey };
    this.#firstSecret = readSecret(folder, 'computer.key');
    this.#first = { name: first, key: identityOf(this.#firstSecret).publicKey };
    const file = `${folder}/paired.json`;
    const text = existsSync(file) ? readFileSync(file, 'utf8') : '{}';
    this.#paired = parseKeys(PairedSchema, text, file);
    // An agent before this one may have come to another computer.
    if (!readComputerKeys(folder))
      writeComputerKeys({ secret: this.#firstSecret, owners: [...this.#paired.owners] }, folder);
    this.#computer = new ComputerKeyring(folder);
    this.#computer.own(this.#os);
  }

  /** The computer the OS is on. */
  get computer(): ComputerKeyring {
    return this.#computer;
  }

  pinOf(computer: string): string | undefined {
    return [...this.#paired.computers, this.#first].find(each => each.name === computer)?.key;
  }

  /** To be kept on the disk by whoever may write to it. */
  get paired(): Paired {
    return this.#paired;
  }

  pin(computer: PairedComputer): void {
    this.#set({ ...this.#paired, computers: withPin(this.#paired.computers, computer) });
  }

  /**
   * Keys for a standby medium of a computer, which is paired with this OS from now on: new ones, but for the computer the OS
   * was installed on, which has its own.
   * @throws YadoError `pairedAlready`: a computer has one key, and the OS does not know its secret
   */
  keysFor(computer: Omit<PairedComputer, 'key'>): ComputerKeys {
    if (computer.name === this.#first.name)
      return { secret: this.#firstSecret, owners: [this.#os, ...this.#paired.owners] };
    if (this.#paired.computers.some(each => each.name === computer.name))
      throw yadoError('pairedAlready', { computer: computer.name });
    const secret = newSecret();
    this.pin({ ...computer, key: identityOf(secret).publicKey });
    return { secret, owners: [this.#os] };
  }

  /** Another OS may use the computer this one is on. */
  own(pin: Pin): void {
    this.#computer.own(pin);
    this.#keepOwners();
  }

  /** @throws YadoError `unknownPair` */
  unpin(name: string): void {
    if (!this.#paired.computers.some(each => each.name === name)) {
      if (name === this.#os.name) throw yadoError('unknownPair', { name });
      this.#computer.disown(name);
      this.#keepOwners();
      return;
    }
    const computers = this.#paired.computers.filter(each => each.name !== name);
    this.#set({ ...this.#paired, computers });
  }

  /** The OS is on another computer now, which has told its keys. */
  moved(keys: ComputerKeys): void {
    this.#computer.replace(keys);
    this.#computer.own(this.#os);
  }

  /** Only those of the computer the OS was installed on: another one keeps its own. */
  #keepOwners(): void {
    const { secret, owners } = this.#computer.keys;
    if (secret !== this.#firstSecret) return;
    this.#set({ ...this.#paired, owners: owners.filter(each => each.name !== this.#os.name) });
  }

  #set(paired: Paired): void {
    this.#paired = paired;
    writePrivately(`${this.#folder}/paired.json`, JSON.stringify(paired));
  }
}

/** Of a file with base64 of 32 bytes, as base64url. */
function readSecret(folder: string, name: string): string {
  const file = `/var/lib/yadokari/${name}`;
  try {
    const text = readFileSync(`${folder}/${name}`, 'utf8');
    const secret = Buffer.from(text.trim(), 'base64url').toString('base64url');
    identityOf(secret);
    return secret;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw yadoError('badConfig', { file, computer: 'this computer', reason }, error);
  }
}
