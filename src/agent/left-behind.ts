// The devices an OS left on this computer, served to it by the ghost and, after kexec, by the standby that follows it.
// Epochs fence: from the moment the OS asks in a newer one, whoever used a device in an older one is cut off.
import * as v from 'valibot';
import { yadoError } from '#core/errors.ts';
import { readMark } from '#devices/disk/left-mark.ts';
import { type DiskService, exportNameOf, serveDisk } from '#devices/disk/serve.ts';
import { PrinterService } from '#devices/printer/serve.ts';
import { listBlockDevices, nodePath } from '#linux/block.ts';
import { kernelParameter, readCmdline } from '#linux/cmdline.ts';
import { FormatError } from '#linux/system-error.ts';
import { type ControlAnswer, type ControlRequest, nbdPort } from '#wire/control.ts';
import { type LeftBehind, LeftBehindSchema } from './ghost-state.ts';
import { log } from './log.ts';

/** The kernel parameter through which a ghost tells the standby after it. */
const parameter = 'yado.left';

/** The OS asks many times a second: a server that cannot be started is not tried as often. */
const retryMs = 1000;

type Left = LeftBehind['behind'][number];
type LeftDisk = Extract<Left, { kind: 'disk' }>;

export class DevicesLeft {
  readonly #left: LeftBehind;
  /** Name and address of this computer. */
  readonly #computer: { readonly name: string; readonly address: string };
  readonly #disks = new Map<string, { readonly service: DiskService; readonly epoch: number }>();
  readonly #printers = new Map<string, PrinterService>();
  /** The newest in which the OS has asked for its devices. */
  #epoch: number;
  #turn: Promise<void> = Promise.resolve();
  /** Disks whose server is being started. */
  readonly #starting = new Set<string>();
  /** From `serve` to `stop`: before the grant nobody may write to what was left. */
  #isServing = false;
  /** The next one is told how things are here: nothing may change any more. */
  #isHandedOver = false;

  constructor(left: LeftBehind, computer: { readonly name: string; readonly address: string }) {
    this.#left = left;
    this.#computer = computer;
    this.#epoch = left.epoch;
  }

  get names(): string[] {
    return this.#left.behind.map(each => each.device);
  }

  has(device: string): boolean {
    return this.#left.behind.some(each => each.device === device);
  }

  get hasUsbPrinter(): boolean {
    return this.#left.behind.some(each => each.kind === 'printer' && each.place.kind === 'usb');
  }

  /** What the standby that follows must know. */
  get state(): LeftBehind {
    const behind = this.#left.behind.map(each => {
      const printed = each.kind === 'printer' ? this.#printers.get(each.device)?.printed : undefined;
      return printed === undefined ? each : { ...each, printed };
    });
    return { osId: this.#left.osId, epoch: this.#epoch, behind };
  }

  /** Serves all of them; what cannot be served is said, and tried again when the OS asks for it. */
  async serve(): Promise<void> {
    this.#isServing = true;
    this.servePrinters();
    for (const left of this.#left.behind) if (left.kind === 'disk') this.#seeToIt(left);
    await this.#turn;
  }

  /** Again too, after `handOver`. */
  servePrinters(): void {
    this.#isHandedOver = false;
    for (const left of this.state.behind) {
      if (left.kind !== 'printer') continue;
      this.#printers.set(left.device, PrinterService.of(left.place, left.printed));
      log(`serving ${left.device} at ${left.place.kind === 'ipp' ? left.place.uri : left.place.name}`);
    }
  }

  /** From here on `state` stays as it is: printers print nothing more, and no newer epoch is heard of. */
  async handOver(): Promise<void> {
    this.#isHandedOver = true;
    for (const service of this.#printers.values()) await service.stop();
  }

  /** Everything that was written is on the disks when this returns; the OS waits until they are served again. */
  async stop(): Promise<void> {
    this.#isServing = false;
    await this.#turn;
    await this.handOver();
    for (const { service } of this.#disks.values()) await service.stop();
    this.#printers.clear();
    this.#disks.clear();
  }

  /** Another OS taken in here would end what this one needs. @throws YadoError `servesAnotherOs` */
  refuseAnother(osId: string): void {
    const { behind, osId: served } = this.#left;
    if (behind.length > 0 && osId !== served)
      throw yadoError('servesAnotherOs', {
        computer: this.#computer.name,
        devices: this.names.join(', '),
        os: served,
      });
  }

  /** Where a disk is to be had. @throws YadoError `unknownDevice`, `staleEpoch` */
  answer(request: ControlRequest<'device'>): ControlAnswer<'device'> {
    const left = this.#admit(request);
    if (left.kind !== 'disk') throw this.#unknown(request.device);
    this.#seeToIt(left);
    return {
      ready: this.#disks.has(left.device),
      exportName: exportNameOf(left.device, this.#left.osId, this.#epoch),
      port: nbdPort,
    };
  }

  /** Prints bytes of the OS. @throws YadoError `unknownDevice` (also while it is not served yet), `staleEpoch` */
  async print(request: ControlRequest<'print'>): Promise<ControlAnswer<'print'>> {
    this.#admit(request);
    const printer = this.#printers.get(request.device);
    if (!printer) throw this.#unknown(request.device);
    const { first, data, delivered, jobEnd, hold } = request;
    if (hold) return printer.hold();
    return printer.print({ first, data, delivered, ...(jobEnd !== undefined && { jobEnd }) });
  }

  #admit({ osId, device, epoch }: { osId: string; device: string; epoch: number }): Left {
    const left = this.#left.behind.find(each => each.device === device);
    if (!left || osId !== this.#left.osId) throw this.#unknown(device);
    if (this.#isHandedOver)
      throw yadoError('busy', { computer: this.#computer.name, activity: 'it starts its standby image' });
    if (epoch < this.#epoch) throw yadoError('staleEpoch', { device, theirs: epoch, ours: this.#epoch });
    this.#epoch = epoch;
    return left;
  }

  /**
   * A newer epoch gives the export another name, and with it nobody is connected who was before. A server that has died,
   * or could not be started, is started again: the OS asks until it has its disk.
   */
  #seeToIt(left: LeftDisk): void {
    const served = this.#disks.get(left.device);
    const isGood = served?.service.isAlive === true && served.epoch === this.#epoch;
    if (!this.#isServing || isGood || this.#starting.has(left.device)) return;
    this.#disks.delete(left.device);
    this.#starting.add(left.device);
    this.#turn = this.#turn
      .then(() => served?.service.stop())
      .then(() => this.#serveDisk(left))
      .then(
        () => void this.#starting.delete(left.device),
        (error: Error) => {
          log(`cannot serve ${left.device}: ${error.message}`);
          setTimeout(() => this.#starting.delete(left.device), retryMs);
        },
      );
  }

  async #serveDisk({ device, place }: LeftDisk): Promise<void> {
    const epoch = this.#epoch;
    const exportName = exportNameOf(device, this.#left.osId, epoch);
    const { address } = this.#computer;
    const mark = {
      mark: JSON.stringify(this.state),
      unmarked: (why: string) => log(`${device}: the OS could be started from it a second time: ${why}`),
    };
    const service = await serveDisk(place, exportName, mark, address, nbdPort, AbortSignal.timeout(30_000));
    this.#disks.set(device, { service, epoch });
    log(`serving ${device} as ${exportName}`);
  }

  #unknown(device: string): Error {
    return yadoError('unknownDevice', { device, computer: this.#computer.name });
  }
}

/** For the kernel's command line of the standby that follows. */
export function leftParameter(left: LeftBehind): string {
  return `${parameter}=${Buffer.from(JSON.stringify(left)).toString('base64url')}`;
}

/**
 * What an OS has left on this computer: the ghost before this standby has told, or a mark on a disk tells when the
 * computer was switched off in between. @throws FormatError when the parameter is damaged
 */
export function readLeftBehind(): LeftBehind | undefined {
  const text = kernelParameter(readCmdline(), parameter);
  if (text === undefined) return readMarkedDisk();
  return text ? decodeLeftBehind(text) : undefined;
}

/** The value of the parameter. @throws FormatError */
export function decodeLeftBehind(text: string): LeftBehind {
  const json = parsed(Buffer.from(text, 'base64url').toString());
  const left = v.safeParse(LeftBehindSchema, json, { abortEarly: true });
  if (!left.success) throw new FormatError(parameter, v.summarize(left.issues).slice(0, 200));
  return left.output;
}

function readMarkedDisk(): LeftBehind | undefined {
  for (const { name } of listBlockDevices()) {
    const mark = readMark(nodePath(name));
    if (mark === undefined) continue;
    const left = v.safeParse(LeftBehindSchema, parsed(mark));
    if (left.success) return left.output;
    log(`${name} has a mark that cannot be read`);
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
