// The devices an OS left on this computer, served to it by the ghost and, after kexec, by the standby that follows it.
import * as v from 'valibot';
import { yadoError } from '#core/errors.ts';
import { type DiskService, serveDisk } from '#devices/disk/serve.ts';
import { PrinterService } from '#devices/printer/serve.ts';
import { kernelParameter, readCmdline } from '#linux/cmdline.ts';
import { type ControlAnswer, type ControlRequest, nbdPort } from '#wire/control.ts';
import { type LeftBehind, LeftBehindSchema } from './ghost-state.ts';
import { log } from './log.ts';

/** The kernel parameter through which a ghost tells the standby after it. */
const parameter = 'yado.left';

export class DevicesLeft {
  readonly #left: LeftBehind;
  /** Name and address of this computer. */
  readonly #computer: { readonly name: string; readonly address: string };
  readonly #disks = new Map<string, DiskService>();
  readonly #printers = new Map<string, PrinterService>();

  constructor(left: LeftBehind, computer: { readonly name: string; readonly address: string }) {
    this.#left = left;
    this.#computer = computer;
  }

  get names(): string[] {
    return this.#left.behind.map(each => each.device);
  }

  /** Serves all of them. @throws Error naming the first that cannot be served */
  async serve(): Promise<void> {
    for (const left of this.#left.behind) {
      if (left.kind === 'printer') {
        this.#printers.set(left.device, PrinterService.ofPort(left.port));
        log(`serving ${left.device} at ${left.port}`);
        continue;
      }
      const { device, exportName, place } = left;
      const { address } = this.#computer;
      const service = await serveDisk(place, exportName, address, nbdPort, AbortSignal.timeout(30_000));
      this.#disks.set(device, service);
      log(`serving ${device} as ${exportName}`);
    }
  }

  /** Everything that was written is on the disks when this returns; the OS waits until they are served again. */
  async stop(): Promise<void> {
    for (const services of [this.#printers, this.#disks]) {
      for (const service of services.values()) await service.stop();
      services.clear();
    }
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

  /** Where a device is to be had. @throws YadoError `unknownDevice`, `staleEpoch` */
  answer({ device, epoch }: ControlRequest<'device'>): ControlAnswer<'device'> {
    const behind = this.#find(device, epoch);
    if (behind.kind !== 'disk') throw yadoError('unknownDevice', { device, computer: this.#computer.name });
    return { ready: this.#disks.has(device), exportName: behind.exportName, port: nbdPort };
  }

  /** Prints bytes of the OS. @throws YadoError `unknownDevice` (also while it is not served yet), `staleEpoch` */
  async print({ device, epoch, first, data }: ControlRequest<'print'>): Promise<ControlAnswer<'print'>> {
    this.#find(device, epoch);
    const printer = this.#printers.get(device);
    if (!printer) throw yadoError('unknownDevice', { device, computer: this.#computer.name });
    return printer.print(first, data);
  }

  #find(device: string, epoch: number): LeftBehind['behind'][number] {
    const behind = this.#left.behind.find(each => each.device === device);
    if (!behind) throw yadoError('unknownDevice', { device, computer: this.#computer.name });
    if (epoch !== this.#left.epoch)
      throw yadoError('staleEpoch', { device, theirs: epoch, ours: this.#left.epoch });
    return behind;
  }
}

/** For the kernel's command line of the standby that follows. */
export function leftParameter({ osId, epoch, behind }: LeftBehind): string {
  return `${parameter}=${Buffer.from(JSON.stringify({ osId, epoch, behind })).toString('base64url')}`;
}

/** What the ghost before this standby was left with. @throws when the parameter is damaged */
export function readLeftParameter(): LeftBehind | undefined {
  const text = kernelParameter(readCmdline(), parameter);
  return text ? v.parse(LeftBehindSchema, JSON.parse(Buffer.from(text, 'base64url').toString())) : undefined;
}
