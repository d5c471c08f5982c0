// A printer that an OS left on this computer, served to it by the ghost and, after kexec, by the standby that follows.
import * as v from 'valibot';
import { yadoError } from '#core/errors.ts';
import type { ControlRequest } from '#wire/control.ts';
import { type LeftService, type LeftWorld, leftClass, type ServiceOf } from '../service.ts';
import type { PrintAnswer } from './driver.ts';
import { lendPrinter, PrinterService } from './serve.ts';
import { PrinterPlaceSchema } from './state.ts';

const PrinterLeftSchema = v.strictObject({
  kind: v.literal('printer'),
  device: v.pipe(v.string(), v.maxLength(256)),
  place: PrinterPlaceSchema,
  /** The printer has every byte before this number, as far as the one who served it before knew. */
  printed: v.exactOptional(v.number()),
});
export type PrinterLeft = v.InferOutput<typeof PrinterLeftSchema>;

class LeftPrinter implements LeftService {
  readonly #left: PrinterLeft;
  readonly #world: LeftWorld;
  #service: PrinterService | undefined;

  constructor(left: PrinterLeft, world: LeftWorld) {
    this.#left = left;
    this.#world = world;
  }

  get state(): PrinterLeft {
    const printed = this.#service?.printed;
    return printed === undefined ? this.#left : { ...this.#left, printed };
  }

  /** A port of the mainboard has its driver from the start. */
  get needsDrivers(): boolean {
    return this.#left.place.kind === 'usb';
  }

  async serve(): Promise<void> {
    this.goOn();
  }

  goOn(): void {
    const { device, place, printed } = this.state;
    this.#service = PrinterService.of(place, printed);
    this.#world.say(`serving ${device} at ${place.kind === 'ipp' ? place.uri : place.name}`);
  }

  /** Nothing more is printed. */
  async handOver(): Promise<void> {
    await this.#service?.stop();
  }

  async stop(): Promise<void> {
    this.#service = undefined;
  }

  /** @throws YadoError `unknownDevice` while it is not served */
  async print(request: ControlRequest<'print'>): Promise<PrintAnswer> {
    const { device } = this.#left;
    if (!this.#service) throw yadoError('unknownDevice', { device, computer: this.#world.computer.name });
    return this.#service.print(request);
  }
}

export const service = {
  lend: lendPrinter,
  left: leftClass(PrinterLeftSchema, ['print'], (left, world) => new LeftPrinter(left, world)),
} satisfies ServiceOf<'printer'>;
