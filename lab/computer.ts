// One emulated computer: power, cable, screen, keyboard, printer, serial log and the root command channel.
// Owns its QEMU process and its files in `dir`; the process dies with ours whatever happens.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { packKeys } from '../standby/keys.ts';
import { type ComputerSpec, osCommandLine, type Role, standbyCommandLine } from './computer-spec.ts';
import { Channel, type CommandBook, type ExecResult } from './console.ts';
import { type DiskLayout, fileSystemIn } from './disk-layout.ts';
import { getFile, putFile } from './guest-files.ts';
import { keysOfCharacter, keysOfChord } from './keys.ts';
import { LabError } from './lab-error.ts';
import type { LabNetwork } from './network.ts';
import type { OsImage } from './os-image.ts';
import { computerKeys } from './pairing.ts';
import { decodePpm, type Picture } from './picture.ts';
import { endChild, run, runAny, tied } from './process.ts';
import { hasHardwareAcceleration, qemuArguments, uefiFile } from './qemu.ts';
import { Monitor } from './qmp.ts';
import { scaled, waitFor } from './time.ts';

/** Kernel and initial RAM disk of the standby image. */
export interface StandbyImage {
  readonly kernel: string;
  readonly initrd: string;
}

/** What a computer stands in. */
export interface Surroundings {
  readonly dir: string;
  readonly network: LabNetwork;
  readonly book: CommandBook;
  readonly os: OsImage;
  readonly standby: StandbyImage | undefined;
  /** Further kernel parameters by role. */
  readonly kernelParameters?: Partial<Record<Role, readonly string[]>> | undefined;
}

/** For a boot that is not the usual one of its role. */
export interface BootOptions {
  /** Instead of the role's own command line. */
  readonly commandLine?: string;
  /** Another computer's disk instead of its own; nobody else may be writing to it. */
  readonly diskFile?: string;
  /** See QemuFiles. */
  readonly incoming?: string;
}

/** What is in the machine while its power is on. */
interface Power {
  readonly process: ChildProcess;
  readonly monitor: Monitor;
  readonly channel: Channel;
  readonly role: Role;
  /** Length of the serial log when the power came on. */
  readonly logStart: number;
}

/** Copies a disk image without filling its holes. */
async function copySparse(from: string, to: string): Promise<void> {
  await run(['cp', '--sparse=always', '--reflink=auto', from, to]);
}

export class Computer {
  readonly spec: ComputerSpec;
  readonly #around: Surroundings;
  #tap: string | undefined;
  #power: Power | undefined;
  #plugged = true;

  /** `tap`: the cable, when it hangs in the wall already. */
  constructor(spec: ComputerSpec, around: Surroundings, tap?: string) {
    this.spec = spec;
    this.#around = around;
    this.#tap = tap;
  }

  /** Another computer at the same place, with the same cable; off, with an empty disk and log. Use this one no more. */
  async exchanged(spec: ComputerSpec): Promise<Computer> {
    await this.kill();
    for (const file of [this.diskFile, this.serialLogFile, this.printerFile]) rmSync(file, { force: true });
    return new Computer(spec, this.#around, this.#tap);
  }

  get name(): string {
    return this.spec.name;
  }

  /** Whether the power is on. */
  get on(): boolean {
    return (
      this.#power !== undefined &&
      this.#power.process.exitCode === null &&
      this.#power.process.signalCode === null
    );
  }

  /** What it was booted into last; a reset boots the same again. */
  get role(): Role | undefined {
    return this.#power?.role;
  }

  get plugged(): boolean {
    return this.#plugged;
  }

  #file(what: string): string {
    return join(this.#around.dir, `${this.name}.${what}`);
  }

  /** The disk's raw image on the host, for looking at it while the power is off. */
  get diskFile(): string {
    const owner = this.spec.sharedDisk;
    return owner === undefined ? this.#file('disk.raw') : join(this.#around.dir, `${owner}.disk.raw`);
  }

  /** The second disk's raw image, of a computer that has one. */
  get spareFile(): string {
    return this.#file('spare.raw');
  }

  /** What the printer has printed so far: every byte that came through the port. */
  get printerFile(): string {
    return this.#file('printer');
  }

  get serialLogFile(): string {
    return this.#file('serial.log');
  }

  #live(): Power {
    if (!this.on) throw new LabError(`computer ${this.name} is off`, `yado lab boot ${this.name}`);
    return this.#power!;
  }

  /** The standby image with this computer's keys before it. */
  async #initrdWithKeys(initrd: string): Promise<string> {
    const keys = computerKeys(this.spec);
    if (!keys) return initrd;
    const archive = this.#file('keys.cpio');
    const whole = this.#file('initrd');
    packKeys(keys, archive);
    await run(['sh', '-c', `cat "$1" "$2" > "$3"`, 'sh', archive, initrd, whole]);
    return whole;
  }

  /** Whoever has it makes it; the others wait for that. */
  async #fillDisk(disk: string): Promise<void> {
    const { sharedDisk } = this.spec;
    if (sharedDisk !== undefined && sharedDisk !== this.name) {
      await waitFor(`the disk of ${sharedDisk}`, () => existsSync(disk) || undefined, { timeoutMs: 60_000 });
      return;
    }
    await copySparse(this.#around.os.disk, `${disk}.new`);
    renameSync(`${disk}.new`, disk);
  }

  /** Switches the power on. Its disk keeps what it held; the first boot starts from a fresh OS image. */
  async boot(role: Role = this.spec.role, options: BootOptions = {}): Promise<void> {
    if (this.on) throw new LabError(`computer ${this.name} is on already`, `yado lab kill ${this.name}`);
    const { os, standby, network, book } = this.#around;
    const boot = role === 'os' ? os : standby;
    if (!boot) throw new LabError(`there is no standby image for computer ${this.name}`, 'npm run build');
    if (role === 'os' && !this.spec.disk)
      throw new LabError(`computer ${this.name} has no disk to boot the OS from`);
    if (this.spec.firmware === 'uefi' && !existsSync(uefiFile))
      throw new LabError(`computer ${this.name} has no firmware: ${uefiFile} is missing`, 'apt install ovmf');
    await this.#clear();
    const disk = this.spec.disk && (options.diskFile ?? this.diskFile);
    if (disk !== undefined && !existsSync(disk)) await this.#fillDisk(disk);
    const spare = this.spec.spareMiB === undefined ? undefined : this.spareFile;
    if (spare !== undefined && !existsSync(spare))
      await run(['truncate', '-s', `${this.spec.spareMiB}M`, spare]);
    this.#tap ??= await network.plug(this.name);
    const extra = this.#around.kernelParameters?.[role] ?? [];
    const usual =
      role === 'os' ? osCommandLine(this.spec, os.root, extra) : standbyCommandLine(this.spec, extra);
    const argv = qemuArguments(
      this.spec,
      {
        kernel: boot.kernel,
        initrd: role === 'standby' ? await this.#initrdWithKeys(boot.initrd) : boot.initrd,
        disk,
        spare,
        incoming: options.incoming,
        serialLog: this.serialLogFile,
        consoleSocket: this.#file('tty'),
        monitorSocket: this.#file('qmp'),
        printerFile: this.printerFile,
      },
      options.commandLine ?? usual,
      this.#tap,
      hasHardwareAcceleration(),
    );
    const logStart = this.serialMark();
    const messages = openSync(this.#file('qemu.log'), 'a');
    const [command, ...args] = tied(network.inside(argv));
    const process = spawn(command!, args, { stdio: ['ignore', messages, messages] });
    closeSync(messages);
    const died = new Promise<never>((_, reject) => {
      process.once('error', reject);
      process.once('exit', () => reject(new LabError(`QEMU of ${this.name} ended: ${this.#lastWords()}`)));
    });
    died.catch(() => {});
    try {
      const monitor = await Promise.race([Monitor.open(this.#file('qmp')), died]);
      const channel = await Promise.race([Channel.open(this.name, this.#file('tty'), book), died]);
      monitor.onEvent = name => name === 'RESET' && channel.forget();
      this.#power = { process, monitor, channel, role, logStart };
    } catch (error) {
      await endChild(process);
      throw error;
    }
  }

  #lastWords(): string {
    return readFileSync(this.#file('qemu.log'), 'utf8').trim().split('\n').slice(-3).join(' ');
  }

  async #clear(): Promise<void> {
    const power = this.#power;
    this.#power = undefined;
    power?.channel.close();
    power?.monitor.close();
    if (power) await endChild(power.process);
    for (const socket of ['tty', 'qmp']) rmSync(this.#file(socket), { force: true });
  }

  /** Cuts the power: nothing inside has time to do anything. */
  async kill(): Promise<void> {
    await this.#clear();
  }

  /** Waits until the root command channel answers; for the OS also until it has started its services and network. */
  async ready(timeoutMs = 240_000): Promise<void> {
    await this.#live().channel.ready(scaled(timeoutMs));
    if (this.role !== 'os') return;
    const settled =
      'systemctl is-system-running --wait; /lib/systemd/systemd-networkd-wait-online -i os0:routable --timeout=60';
    await this.exec(settled, { timeoutMs });
  }

  /** Runs a shell command as root in whatever runs on this computer. `timeoutMs` is scaled. */
  async exec(command: string, options: { timeoutMs?: number } = {}): Promise<ExecResult> {
    return this.#around.book.exec(this.#live().channel, command, scaled(options.timeoutMs ?? 60_000));
  }

  /** As exec, for a command that must succeed; gives its output. */
  async shell(command: string, options: { timeoutMs?: number } = {}): Promise<string> {
    const { code, output } = await this.exec(command, options);
    if (code !== 0)
      throw new LabError(
        `on ${this.name}: "${command.slice(0, 80)}" ended with ${code}: ${output.trim().slice(-400)}`,
      );
    return output;
  }

  /** Writes a file inside, whole or not at all (see guest-files.ts). */
  put(contents: Uint8Array, path: string, mode = 0o644): Promise<void> {
    return putFile(this, this.#around.network, contents, path, mode);
  }

  /** Reads a file inside. */
  get(path: string): Promise<Buffer> {
    return getFile(this, path);
  }

  /** Saves what is on the screen as PNG. */
  async screenshot(file: string): Promise<void> {
    await this.#live().monitor.execute('screendump', { filename: file, format: 'png' });
  }

  /** What is on the screen, as the monitor's cable carries it. */
  async pixels(): Promise<Picture> {
    const file = this.#file('screen.ppm');
    await this.#live().monitor.execute('screendump', { filename: file, format: 'ppm' });
    return decodePpm(readFileSync(file));
  }

  /** Presses chords one after another: "ctrl-alt-f1", "enter", "a". */
  async key(...chords: readonly string[]): Promise<void> {
    for (const chord of chords) await this.#press(keysOfChord(chord));
  }

  /** Types text on the keyboard. */
  async type(text: string): Promise<void> {
    for (const character of text) await this.#press(keysOfCharacter(character));
  }

  async #press(codes: readonly string[]): Promise<void> {
    const keys = codes.map(data => ({ type: 'qcode', data }));
    await this.#live().monitor.execute('send-key', { keys, 'hold-time': 40 });
    await delay(80); // the key is up again before the next goes down
  }

  /** Magic SysRq by keyboard: "t" lists tasks, "w" blocked tasks, "c" crashes. The answer is in the serial log. */
  async sysrq(letter: string): Promise<void> {
    await this.#press(['alt', 'sysrq', ...keysOfCharacter(letter)]);
  }

  /** Processor time this computer has taken from the host since its power came on, in seconds. */
  cpuSeconds(): number {
    const words = readFileSync(`/proc/${this.#live().process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(words[11]) + Number(words[12])) / 100; // utime and stime, in ticks of 10 ms (proc(5))
  }

  /** A command of QEMU's monitor protocol; gives its return value. */
  qmp(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    return this.#live().monitor.execute(command, args);
  }

  /** A command of QEMU's human monitor; gives its answer. */
  async monitor(command: string): Promise<string> {
    const answer = await this.#live().monitor.execute('human-monitor-command', { 'command-line': command });
    return String(answer);
  }

  /** QEMU's events since power on, such as RESET. */
  events(): readonly string[] {
    return this.#live().monitor.events;
  }

  /** Makes the cable a slow one (megabits per second), or as fast as it goes. */
  async slow(megabits: number | undefined): Promise<void> {
    await this.#around.network.setRate(this.name, megabits);
  }

  /** Pulls the network cable. */
  async cut(): Promise<void> {
    if (this.#tap) await this.#around.network.setCable(this.name, false);
    this.#plugged = false;
  }

  /** Puts the cable back. */
  async heal(): Promise<void> {
    if (this.#tap) await this.#around.network.setCable(this.name, true);
    this.#plugged = true;
  }

  /** The kernel console's whole text, of all boots. */
  serialLog(): string {
    return existsSync(this.serialLogFile) ? readFileSync(this.serialLogFile, 'latin1') : '';
  }

  /** A place in the serial log, to look from there later. */
  serialMark(): number {
    return this.serialLog().length;
  }

  /** Waits for a text on the kernel console since power on (or since `since`); gives the match. */
  waitForSerial(
    pattern: RegExp,
    options: { timeoutMs?: number; since?: number } = {},
  ): Promise<RegExpExecArray> {
    const since = options.since ?? this.#live().logStart;
    return waitFor(
      `${pattern} in the serial log of ${this.name}`,
      () => pattern.exec(this.serialLog().slice(since)) ?? undefined,
      { timeoutMs: scaled(options.timeoutMs ?? 120_000) },
    );
  }

  /** Whether the disk still holds what it held when it was new. */
  async hasFreshDisk(): Promise<boolean> {
    return (await runAny(['cmp', '--silent', this.#around.os.disk, this.diskFile])).code === 0;
  }

  /** Checks the disk's file system on a copy, its journal replayed first. The power must be off. */
  async checkDisk(layout: DiskLayout = 'disk'): Promise<{ clean: boolean; report: string }> {
    if (this.on) throw new LabError(`computer ${this.name} is on`, `yado lab kill ${this.name}`);
    const copy = this.#file('check.raw');
    const spare = this.#file('check-plain.raw');
    try {
      await copySparse(this.diskFile, copy);
      const { path, start } = fileSystemIn(copy, layout, spare);
      const fileSystem = start === 0 ? path : `${path}?offset=${start}`;
      await runAny(['e2fsck', '-fy', '-E', 'journal_only', fileSystem]);
      const { code, output, errors } = await runAny(['e2fsck', '-fn', fileSystem]);
      return { clean: code === 0, report: output + errors };
    } finally {
      for (const each of [copy, spare]) rmSync(each, { force: true });
    }
  }
}
