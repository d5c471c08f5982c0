// The printer class: programs write to the stub at any time; a loop carries their bytes to the printer, over the port of
// this computer (way 1) or to the computer that has it (way 3).
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { listPrinterPorts } from '#linux/parport.ts';
import { controlPort, maxPrintBytes } from '#wire/control.ts';
import type { Arrival, Computer, Device, DevicePlans, Move, ServeState } from '../device.ts';
import { awayAnswer, PortDriver, type PrinterDriver, RemoteDriver } from './driver.ts';
import { holdBack, letGo } from './hold.ts';
import { Spool } from './spool.ts';
import { type PrinterMemory, PrinterMemorySchema, printerItems } from './state.ts';
import { makeStub, type PrinterStub } from './stub.ts';
import { readyStatus } from './translate.ts';

/** A port that takes nothing is asked again after this time, so that a move never waits long for it. */
const portPatienceMs = 500;
const statusEveryMs = 5000;
const awayRetryMs = 1000;

/** The parallel printer the OS was started with, or knows from before; undefined when it never had one. */
export function printer(remembered?: unknown): Device | undefined {
  const memory = v.safeParse(PrinterMemorySchema, remembered);
  if (memory.success) return new Printer(memory.output);
  const port = listPrinterPorts()[0];
  if (!port) return undefined;
  const deviceId = port.deviceId || 'MFG:Unknown;MDL:Parallel printer;CLS:PRINTER;';
  return new Printer({ typeName: `printer at ${port.path}`, port: port.path, deviceId });
}

class Printer implements Device {
  readonly id = 'printer0';
  readonly isMadeHere = true;
  readonly #known: PrinterMemory;
  readonly #spool = new Spool();
  #stub: PrinterStub | undefined;
  #status = readyStatus;
  #ended: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;

  constructor(known: PrinterMemory) {
    this.#known = known;
  }

  memory(): PrinterMemory {
    return this.#known;
  }

  describe(here: Computer, at: Computer): DeviceStatusRow {
    const local = here.name === at.name;
    return {
      device: this.id,
      class: 'printer',
      osType: this.#known.typeName,
      actualType: local ? this.#known.typeName : `printer of ${at.name}`,
      way: local ? 'direct' : 'remote',
      items: printerItems(this.#status, this.#spool, this.#stub?.path ?? 'nothing: no CUSE'),
    };
  }

  pciAddress(): undefined {
    return undefined;
  }

  plans(): DevicePlans {
    return {};
  }

  leaveBehind(move: Move): ServeState | undefined {
    const decision = move.ways.find(each => each.device === this.id);
    if (decision?.way !== 'remote' || decision.computer !== move.source.name) return undefined;
    return { kind: 'printer', device: this.id, port: this.#known.port };
  }

  /** Lets go of the port, which the ghost needs, and sees to it that nobody waits in a write. */
  async hold(): Promise<void> {
    this.#spool.bottomless = true;
    this.#stub?.roomAgain();
    await this.#stop();
    if (this.#stub) await holdBack(this.#stub.path);
  }

  async restore(arrival: Arrival): Promise<void> {
    await this.#stop();
    if (!this.#stub) {
      const ended = (error: unknown): void =>
        arrival.say(
          `${this.id}: programs must open it again: ${error instanceof Error ? error.message : error}`,
        );
      const face = { status: () => this.#status, deviceId: this.#known.deviceId, ended };
      this.#stub = await makeStub(this.#spool, face);
      arrival.say(`${this.id}: programs print to ${this.#stub.path}`);
    }
    this.#spool.bottomless = false;
    letGo();
    const { here, at } = arrival;
    const driver =
      here.name === at.name
        ? new PortDriver(this.#known.port, portPatienceMs)
        : new RemoteDriver(
            { name: at.name, ip: at.address, port: controlPort, localIp: here.address },
            this.id,
            { osId: arrival.osId, epoch: arrival.epoch },
          );
    const abort = new AbortController();
    this.#ended = { abort, done: this.#deliver(driver, abort.signal, arrival) };
  }

  async #stop(): Promise<void> {
    this.#ended?.abort.abort();
    await this.#ended?.done;
    this.#ended = undefined;
  }

  /** Carries bytes until told to stop. A printer or computer that is away is waited for; nothing is thrown away. */
  async #deliver(driver: PrinterDriver, signal: AbortSignal, { say, at }: Arrival): Promise<void> {
    await using port = driver;
    let away = false;
    while (!signal.aborted) {
      const first = this.#spool.firstByte;
      try {
        const data = this.#spool.peek(maxPrintBytes);
        const { delivered, status } = await port.print(first, data, signal);
        this.#status = status;
        this.#spool.delivered(delivered);
        if (away) say(`${this.id}: it prints again`);
        away = false;
      } catch (error) {
        if (signal.aborted) return;
        this.#status = awayAnswer(first).status;
        if (!away)
          say(`${this.id}: ${at.name} does not print: ${error instanceof Error ? error.message : error}`);
        away = true;
      }
      if (this.#spool.firstByte > first) this.#stub?.roomAgain();
      if (away) await rest(awayRetryMs, signal);
      else if (this.#spool.size === 0) await this.#somethingToPrint(signal);
    }
  }

  /** Until a program writes; in between the status is asked for. */
  async #somethingToPrint(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#spool.onData = resolve;
    const timer = setTimeout(resolve, statusEveryMs);
    signal.addEventListener('abort', () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
    this.#spool.onData = undefined;
  }
}

const rest = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => {});
