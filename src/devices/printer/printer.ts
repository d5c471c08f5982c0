// The printer class: programs write to the stub at any time, and their bytes lie in the spool until a delivery has
// carried them to the printer: at a port of this computer (way 1), an IPP printer (way 2), or the printer of the
// computer that has it (way 3).
import { readFileSync } from 'node:fs';
import * as v from 'valibot';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { yadoError } from '#core/errors.ts';
import { listPrinterPorts } from '#linux/printer-ports.ts';
import { type Arrival, type Device, type DevicePlans, type Move, reasonOf } from '../device.ts';
import { saysNo } from '../lender-says-no.ts';
import { Delivery } from './delivery.ts';
import { driverOf, type PrintAnswer, type PrinterDriver, RemoteDriver } from './driver.ts';
import { holdBack, letGo } from './hold.ts';
import type { PrinterLeft } from './service.ts';
import { jobLimitBytes, Spool, spoolLimitBytes } from './spool.ts';
import { type PrinterMemory, PrinterMemorySchema, printerItems } from './state.ts';
import { makeStub, type PrinterFace, type PrinterStub } from './stub.ts';
import { awayStatus, readyStatus } from './translate.ts';

const spoolFolder = '/run/yado/printer0';
/** A port that takes nothing is asked again after this time, so that a move never waits long for it. */
const patienceMs = 500;
const unknownId = 'MFG:Unknown;MDL:Printer;CLS:PRINTER;';

/** What a printer needs of the computer; tests have one of their own. */
export interface PrinterWorld {
  readonly spoolFolder: string;
  readonly driverOf: typeof driverOf;
  readonly makeStub: typeof makeStub;
  /** As `Delivery.stop` takes them. */
  readonly stopMs?: readonly [breakOffMs: number, endMs: number];
}

const realWorld: PrinterWorld = { spoolFolder, driverOf, makeStub };

/**
 * The printer the OS was started with, or knows from before; undefined when it never had one.
 * @param uri an IPP printer takes the jobs instead of one at a port; another one than before, or none any more, replaces
 * the printer of before, and its stub stays
 */
export function printer(remembered?: unknown, uri?: string): Printer | undefined {
  const memory = v.safeParse(PrinterMemorySchema, remembered);
  const known = memory.success ? memory.output : undefined;
  if (known && uri === (known.place.kind === 'ipp' ? known.place.uri : undefined)) return new Printer(known);
  const port = listPrinterPorts()[0];
  if (!port && uri === undefined) return undefined;
  // Names of IPP jobs: the boot tells apart one OS from another, and is the same for the agent after this one.
  const jobs = `yado-${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 18)}`;
  return new Printer(
    {
      typeName: port ? `printer at ${port.path}` : 'printer at a port',
      place:
        uri === undefined
          ? { kind: port!.kind, name: port!.name, identity: port!.identity }
          : { kind: 'ipp', uri, jobs },
      deviceId: port?.deviceId || unknownId,
      actualName: '',
    },
    realWorld,
    known !== undefined,
  );
}

/** Exported for its test. */
export class Printer implements Device {
  readonly id = 'printer0';
  readonly isMadeHere = true;
  readonly isReplaced: boolean;
  #known: PrinterMemory;
  readonly #world: PrinterWorld;
  readonly #spool: Spool;
  #stub: PrinterStub | undefined;
  #status = readyStatus;
  #delivery: Delivery | undefined;
  /** Name of the computer the OS is on. */
  #here = '';

  constructor(known: PrinterMemory, world = realWorld, isReplaced = false) {
    this.#known = known;
    this.#world = world;
    this.isReplaced = isReplaced;
    this.#spool = new Spool(world.spoolFolder, this.#isConverted ? jobLimitBytes : spoolLimitBytes);
  }

  get #isConverted(): boolean {
    return this.#known.place.kind === 'ipp';
  }

  memory(): PrinterMemory {
    return this.#known;
  }

  describe(elsewhere: string | undefined): DeviceStatusRow {
    const { typeName, place, actualName } = this.#known;
    const own = place.kind === 'ipp' ? actualName || `IPP printer ${place.uri}` : typeName;
    return {
      device: this.id,
      class: 'printer',
      osType: typeName,
      actualType: elsewhere === undefined ? own : `${this.#isConverted ? own : 'printer'} of ${elsewhere}`,
      way: elsewhere !== undefined ? 'remote' : this.#isConverted ? 'converted' : 'direct',
      items: printerItems(this.#status, this.#spool, this.#stub?.path ?? 'nothing: no CUSE'),
    };
  }

  pciAddress(): undefined {
    return undefined;
  }

  plans(): DevicePlans {
    return {};
  }

  leaveBehind(move: Move): PrinterLeft | undefined {
    const decision = move.ways.find(each => each.device === this.id);
    if (decision?.way !== 'remote' || decision.computer !== move.source.name) return undefined;
    return { kind: 'printer', device: this.id, place: this.#known.place };
  }

  /**
   * Lets go of the port, which the ghost needs, and sees to it that nobody waits in our device.
   * @throws YadoError `deviceLeaveFailed`: what is still being written would go on at the target, into nothing
   */
  async hold(): Promise<void> {
    if (!(await this.#stop()))
      throw yadoError('deviceLeaveFailed', {
        step: `let go of ${this.id} (${this.#known.typeName}) in mid-print`,
        computer: this.#here,
        reason:
          "the kernel's driver does not return from a write; switch the printer off and on, then move again",
      });
    this.#spool.bottomless = true;
    this.#stub?.roomAgain();
    if (this.#stub) await holdBack(this.#stub.path);
  }

  async restore(arrival: Arrival): Promise<void> {
    this.#spool.bottomless = false;
    letGo();
    // Not the former one itself: what is made here is kept, and would keep it, and so all that were before.
    const isFirst = !this.#delivery;
    const done = this.#delivery?.done ?? Promise.resolve();
    await this.#stop();
    const { say, here, at, route, gone } = arrival;
    this.#here = here.name;
    const answered = (answer: PrintAnswer): void => this.#answered(answer, say);
    const away = (error: unknown): void => {
      this.#status = awayStatus;
      say(`${this.id}: ${at.name} does not print: ${reasonOf(error)}; what is printed is kept until it does`);
      if (saysNo(error)) gone(); // a lender that was started anew, for one: it will not print any more
    };
    const back = (): void => say(`${this.id}: it prints again`);
    const driver = route<PrinterDriver>({
      here: () => {
        if (isFirst) this.#sayInDoubt(say);
        return this.#world.driverOf(this.#known.place, patienceMs);
      },
      there: ({ peer, ...user }) => new RemoteDriver(peer, user, this.#isConverted),
    });
    this.#delivery = new Delivery(this.#spool, driver, { answered, away, back }, done);
    this.#stub ??= await this.#makeStub(say);
  }

  /** False: something is still being written to the port. */
  async #stop(): Promise<boolean> {
    return (await this.#delivery?.stop(...(this.#world.stopMs ?? []))) ?? true;
  }

  /** Undefined without CUSE: what was written before is printed all the same. */
  async #makeStub(say: Arrival['say']): Promise<PrinterStub | undefined> {
    const face: PrinterFace = {
      status: () => this.#status,
      deviceId: () => this.#known.deviceId,
      wholeJobs: this.#isConverted,
      ended: error => {
        this.#stub = undefined;
        this.#spool.endJob();
        say(`${this.id}: its device is gone: ${reasonOf(error)}; to have it again: systemctl restart yadod`);
      },
      failed: error => say(`${this.id}: a program that prints got an error: ${reasonOf(error)}`),
    };
    try {
      const stub = await this.#world.makeStub(this.#spool, face);
      say(`${this.id}: programs print to ${stub.path}; one that had it open before must open it again`);
      return stub;
    } catch (error) {
      say(
        `${this.id}: programs find no printer: ${reasonOf(error)}; to have one: modprobe cuse, then systemctl restart yadod`,
      );
      return undefined;
    }
  }

  /** An IPP printer, and another computer, know themselves how far they were. */
  #sayInDoubt(say: Arrival['say']): void {
    const { inDoubt } = this.#spool;
    if (inDoubt > 0 && !this.#isConverted)
      say(`${this.id}: up to ${inDoubt} bytes may be printed twice: the agent ended while it printed`);
  }

  #answered({ status, typeName, deviceId, note }: PrintAnswer, say: Arrival['say']): void {
    this.#status = status;
    if (note !== undefined) say(`${this.id}: ${note}`);
    if (typeName !== undefined) this.#known = { ...this.#known, actualName: typeName };
    if (deviceId !== undefined && this.#known.deviceId === unknownId)
      this.#known = { ...this.#known, deviceId };
    this.#stub?.roomAgain();
  }
}
