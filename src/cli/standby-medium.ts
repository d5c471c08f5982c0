// `yado standby build`: a medium that starts a computer as a standby, paired with this OS already. What can be refused is
// refused before keys are made; the package's own script (packaging/files/medium) then makes the medium.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';
import { ComputersSchema, EmptySchema, MediumSchema } from '#core/api.ts';
import { yadoError } from '#core/errors.ts';
import { machineAddressOf } from '#core/machine-address.ts';
import { standbyKernelWords, withoutIommuWords } from '#core/standby-kernel.ts';
import { keep, type PairContext } from './pair.ts';

/** As commander gives them: `--no-keys` is `keys: false`. */
export interface MediumOptions {
  readonly iso?: string;
  readonly usb?: string;
  readonly pxe?: string;
  readonly address?: string;
  readonly nic?: string;
  readonly console?: string;
  readonly prompt?: boolean;
  readonly packageKernel?: boolean;
  readonly keys: boolean;
  readonly yes?: boolean;
}

/** Where the command finds what it needs; tests have others. */
export interface MediumPlaces {
  readonly script: string;
  readonly path: string;
  /** /proc/cmdline: what is set aside here is set aside there. */
  readonly cmdline: string;
}

export const mediumPlaces = (environment: Readonly<Record<string, string | undefined>>): MediumPlaces => ({
  script: environment.YADO_MEDIUM || '/usr/lib/yadokari/medium',
  path: environment.PATH ?? '',
  cmdline: '/proc/cmdline',
});

const kinds = ['iso', 'usb', 'pxe'] as const;
type Kind = (typeof kinds)[number];

/** What each kind calls, and the Debian packages it is in. */
const image = ['grub-mkrescue', 'xorriso', 'mformat'];
const toolsOf: Readonly<Record<Kind, readonly string[]>> = { iso: image, usb: image, pxe: ['grub-mknetdir'] };
const packages = 'apt install grub-common grub-pc-bin grub-efi-amd64-bin mtools xorriso';

const wrongUse = (what: string) => yadoError('badUsage', { what, command: 'yado standby build' });

/** @throws YadoError `badUsage`, `mediumFailed`, `pairedAlready`, or what the agent says */
export async function buildMedium(
  context: PairContext,
  computer: string,
  options: MediumOptions,
  places: MediumPlaces,
): Promise<void> {
  const { client, terminal, json } = context;
  const chosen = kinds.filter(kind => options[kind] !== undefined);
  const kind = chosen[0];
  if (kind === undefined || chosen.length > 1)
    throw wrongUse('Say what to make: one of --iso <file>, --usb <disk>, --pxe <folder>.');
  const target = resolve(options[kind] ?? '');
  checkTools(kind, target, places);
  const address = await addressOf(context, computer, options.address);
  const parameters = kernelParameters(readFileSync(places.cmdline, 'utf8'), computer, address, options);
  if (kind === 'usb') {
    checkDisk(target);
    if (!options.yes) await askFirst(context, target);
  }
  // Whoever can reach a TFTP server can read what is on it.
  const withKeys = options.keys && kind !== 'pxe';
  const given = options.address?.split('/')[0];
  const keys = withKeys
    ? (
        await client.call('medium', MediumSchema, {
          computer,
          ...(given !== undefined && { address: given }),
        })
      ).keys
    : '';
  let said: string;
  try {
    const kernel = options.packageKernel ? 'package' : 'running';
    said = make(
      places.script,
      [kind, target, computer, parameters, kernel],
      Buffer.from(keys, 'base64'),
      target,
    );
  } catch (error) {
    // A medium that is not there needs no pairing.
    if (withKeys) await client.call('unpair', EmptySchema, { name: computer }).catch(() => {});
    throw error;
  }
  if (withKeys) await keep(context);
  terminal.out(
    json
      ? `${JSON.stringify({ computer, kind, target, keys: withKeys })}\n`
      : `${told(kind, target, computer, withKeys)}${withKeys || options.console || options.prompt !== false ? '' : nowhereToType}${said}`,
  );
}

function checkTools(kind: Kind, target: string, { script, path }: MediumPlaces): void {
  if (!existsSync(script))
    throw yadoError('mediumFailed', {
      target,
      reason: `${script} is not there`,
      hint: 'make it at a computer that the package yadokari is installed on',
    });
  const missing = toolsOf[kind].filter(
    tool => !path.split(delimiter).some(folder => isProgram(join(folder, tool))),
  );
  if (missing.length > 0)
    throw yadoError('mediumFailed', { target, reason: `${missing.join(', ')} not found`, hint: packages });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** With prefix length. One that the configuration names needs no option. */
async function addressOf(
  { client }: PairContext,
  computer: string,
  given: string | undefined,
): Promise<string> {
  const [here, ...others] = await client.call('computers', ComputersSchema);
  const address = given ?? [here, ...others].find(each => each?.name === computer)?.address;
  if (address === undefined)
    throw wrongUse(
      `The configuration names no ${computer}: add --address <its machine address>/<prefix length>.`,
    );
  // One network for both: the other computer's is that of this one.
  const whole = address.includes('/') ? address : machineAddressOf({ ...here, address });
  if (!/^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/.test(whole))
    throw wrongUse(`${address} is no IPv4 address with prefix length, as 192.168.1.12/24.`);
  return whole;
}

/** Also of a name below /dev/disk/by-id. */
const sysfsOf = (path: string): string => `/sys/class/block/${basename(realpathSync(path))}`;

/** Only a whole disk that nothing uses. */
function checkDisk(path: string): void {
  const refuse = (reason: string): never => {
    throw yadoError('mediumFailed', {
      target: path,
      reason,
      hint: 'lsblk shows the disks and what is mounted',
    });
  };
  if (!statSync(path, { throwIfNoEntry: false })?.isBlockDevice()) refuse('it is no disk');
  if (existsSync(`${sysfsOf(path)}/partition`)) refuse('it is only a partition of a disk');
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_EXCL)); // the kernel says no while anything uses it
  } catch (error) {
    refuse((error as NodeJS.ErrnoException).code === 'EBUSY' ? 'it is in use' : (error as Error).message);
  }
}

async function askFirst({ terminal }: PairContext, target: string): Promise<void> {
  const size = Number(readFileSync(`${sysfsOf(target)}/size`, 'utf8')) * 512;
  const question = `Everything on ${target} (${(size / 1e9).toFixed(1)} GB) will be lost. Go on? [y/N] `;
  const answer = await terminal.ask(question, new AbortController().signal);
  if (answer === undefined)
    throw wrongUse(`Everything on ${target} would be lost, and nobody can be asked: add --yes.`);
  if (!/^y(es)?$/i.test(answer)) throw wrongUse(`Nothing was written to ${target}.`);
}

/** The kernel's command line of that standby. */
export function kernelParameters(
  cmdlineHere: string,
  computer: string,
  address: string,
  { nic, console, prompt }: Pick<MediumOptions, 'nic' | 'console' | 'prompt'>,
): string {
  if (nic !== undefined && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(nic))
    throw wrongUse(`${nic} is no MAC address, as 52:54:00:12:34:56.`);
  if (console !== undefined && !/^tty\w+$/.test(console))
    throw wrongUse(`${console} is no serial line, as ttyS0.`);
  return [
    ...cmdlineHere.split(/\s+/).filter(word => /^memmap=\S+!\S+$/.test(word)),
    'acpi=copy_dsdt',
    ...standbyKernelWords,
    ...withoutIommuWords,
    ...(console === undefined ? [] : [`console=${console}`, 'console=tty0', `yado.console=${console}`]),
    ...(prompt === false ? ['yado.prompt=off'] : []),
    `yado.name=${computer}`,
    `yado.address=${address}`,
    ...(nic === undefined ? [] : [`yado.nic=${nic.toLowerCase()}`]),
  ].join(' ');
}

/** What the script has to say although it went well. */
function make(script: string, args: readonly string[], keys: Buffer, target: string): string {
  const { error, status, stdout, stderr } = spawnSync(script, args, { input: keys, encoding: 'utf8' });
  if (!error && status === 0) return stdout;
  // One that ends before it has read the keys has said why.
  const said = stderr?.trim().split('\n').at(-1);
  const reason = said || (error?.message ?? `${script} ended with ${status}`);
  throw yadoError('mediumFailed', {
    target,
    reason,
    hint: 'df /var/tmp: it takes twice the 200 MB of the medium',
  });
}

const nowhereToType =
  'Nothing can be typed there, so it cannot be paired. Make it anew without --no-prompt, or with keys.\n';

function told(kind: Kind, target: string, computer: string, withKeys: boolean): string {
  const start = {
    iso: `${target} is ready: write it to a CD or a USB stick, and start ${computer} from it.`,
    usb: `${target} is ready: start ${computer} from it.`,
    pxe: `${target} is ready: serve it by TFTP; the boot file is boot/grub/i386-pc/core.0, or boot/grub/x86_64-efi/core.efi with UEFI.`,
  }[kind];
  return withKeys
    ? `${start}\nIt is paired with this OS. The medium holds its key: whoever has it is ${computer}.\n`
    : `${start}\nIt has no keys: there Alt+F2 and yado accept, here yado pair ${computer}, after every start.\n`;
}
