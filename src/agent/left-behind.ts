// The devices an OS left on this computer, served to it by the ghost and, after kexec, by the standby that follows it.
import * as v from 'valibot';
import { yadoError } from '#core/errors.ts';
import { type DiskService, serveDisk } from '#devices/disk/serve.ts';
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
  readonly #services = new Map<string, DiskService>();

  constructor(left: LeftBehind, computer: { readonly name: string; readonly address: string }) {
    this.#left = left;
    this.#computer = computer;
  }

  get names(): string[] {
    return this.#left.behind.map(each => each.device);
  }

  /** Serves all of them. @throws Error naming the first that cannot be served */
  async serve(): Promise<void> {
    for (const { device, exportName, place } of this.#left.behind) {
      const { partition, ...at } = place;
      const whole = partition === undefined ? at : { ...at, partition };
      const { address } = this.#computer;
      const service = await serveDisk(whole, exportName, address, nbdPort, AbortSignal.timeout(30_000));
      this.#services.set(device, service);
      log(`serving ${device} as ${exportName}`);
    }
  }

  /** Everything that was written is on the disks when this returns; the OS waits until they are served again. */
  async stop(): Promise<void> {
    for (const service of this.#services.values()) await service.stop();
    this.#services.clear();
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
    const behind = this.#left.behind.find(each => each.device === device);
    if (!behind) throw yadoError('unknownDevice', { device, computer: this.#computer.name });
    if (epoch !== this.#left.epoch)
      throw yadoError('staleEpoch', { device, theirs: epoch, ours: this.#left.epoch });
    return { ready: this.#services.has(device), exportName: behind.exportName, port: nbdPort };
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
