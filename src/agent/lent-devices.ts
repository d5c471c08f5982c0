// The lender's side of `yado lend`: devices of this computer that serve an OS elsewhere. One of a class at a time; the
// newest epoch of that OS counts, older ones are turned away. Ends when it is given back, or when nobody asks any more.
import { yadoError } from '#core/errors.ts';
import { DisplayService } from '#devices/display/serve.ts';
import { InputService } from '#devices/input/serve.ts';
import { PrinterService } from '#devices/printer/serve.ts';
import { listPrinterPorts } from '#linux/printer-ports.ts';
import { waitUntil } from '#managers/wait.ts';
import type { ControlAnswer, ControlRequest, LendableClass } from '#wire/control.ts';
import type { ControlHandlers } from './control-server.ts';
import { orAway } from './device-away.ts';
import { log } from './log.ts';

/** Services of a class, and what the device really is. */
interface Services {
  readonly display: { readonly typeName: string; readonly service: DisplayService };
  readonly input: { readonly typeName: string; readonly service: InputService };
  readonly printer: { readonly typeName: string; readonly service: PrinterService };
}

/** How a class opens the device it lends. Throws Error saying why there is none. */
export type Openers = { readonly [C in LendableClass]: () => Promise<Services[C]> };

/** A driver that was just loaded needs this long at most until it has found its device. */
const probe = { timeoutMs: 10_000, everyMs: 50 } as const;

/** `load` brings the drivers of a class into the kernel, where that can be done. */
export const openersOf = (load: (name: LendableClass) => Promise<void>): Openers => ({
  display: async () => {
    await load('display');
    let why = '';
    const open = (): DisplayService | undefined => {
      try {
        return DisplayService.ofCard();
      } catch (error) {
        why = error instanceof Error ? error.message : String(error);
        return undefined;
      }
    };
    const service = await waitUntil('a screen', open, probe).catch(() => {
      throw new Error(why);
    });
    return { typeName: service.typeName, service };
  },
  input: async () => {
    await load('input');
    const service = InputService.ofThisComputer(log);
    const found = (): string | undefined => (service.typeName === 'none' ? undefined : service.typeName);
    try {
      return { typeName: await waitUntil('a keyboard', found, probe), service };
    } catch {
      await service.stop();
      throw new Error('no keyboard or mouse is plugged in');
    }
  },
  printer: async () => {
    await load('printer');
    const port = listPrinterPorts()[0];
    if (!port) throw new Error('no printer is plugged in');
    const { kind, name, identity } = port;
    return { typeName: `printer at ${name}`, service: PrinterService.of({ kind, name, identity }) };
  },
});

interface Lent<C extends LendableClass> {
  readonly osId: string;
  readonly device: string;
  readonly typeName: string;
  readonly service: Services[C]['service'];
  epoch: number;
  lastAsked: number;
}

export class LentDevices {
  readonly #computer: string;
  readonly #openers: Openers;
  readonly #quietMs: number;
  readonly #changed: () => void;
  readonly #lent: { [C in LendableClass]?: Lent<C> } = {};
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param quietMs a device nobody asks for so long is taken back
   * @param changed called when something was lent or has come back
   */
  constructor(computer: string, quietMs: number, open: Openers, changed: () => void) {
    this.#computer = computer;
    this.#quietMs = quietMs;
    this.#changed = changed;
    this.#openers = open;
    setInterval(() => this.#sweep(), quietMs / 4).unref();
  }

  /** What is lent, for a person before this computer. */
  get words(): string[] {
    return Object.values(this.#lent).map(each => `${each.typeName} to ${each.osId}`);
  }

  readonly handlers = {
    lend: request => this.#inTurn(() => this.#lend(request)),
    giveBack: request => this.#inTurn(() => this.#giveBack(request)),
    screen: request => this.#use('display', request, service => service.screen(request)),
    draw: request => this.#use('display', request, service => service.draw(request)),
    keys: request => this.#use('input', request, service => service.keys(request)),
  } as const satisfies ControlHandlers;

  print(request: ControlRequest<'print'>): Promise<ControlAnswer<'print'>> {
    const { first, data, delivered, jobEnd, hold } = request;
    const piece = { first, data, delivered, ...(jobEnd !== undefined && { jobEnd }) };
    return this.#use('printer', request, service => (hold ? service.hold() : service.print(piece)));
  }

  /** Before this computer takes in an OS: it needs its devices itself. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      for (const name of Object.keys(this.#lent) as LendableClass[]) await this.#end(name, 'needed here');
    });
  }

  async #lend({ osId, device, class: name, epoch }: ControlRequest<'lend'>): Promise<ControlAnswer<'lend'>> {
    const there = this.#lent[name];
    if (there && there.osId !== osId)
      throw yadoError('lentToAnother', {
        computer: this.#computer,
        class: name,
        os: there.osId,
        device: there.device,
      });
    if (there && epoch < there.epoch) throw this.#stale(device, epoch, there.epoch);
    if (there) await this.#end(name, `lent anew in epoch ${epoch}`);
    const { typeName, service } = await this.#open(name);
    Object.assign(this.#lent, {
      [name]: { osId, device, epoch, typeName, service, lastAsked: performance.now() },
    });
    log(`lending ${typeName} to ${osId} as ${device}, epoch ${epoch}`);
    this.#changed();
    return { typeName };
  }

  async #open<C extends LendableClass>(name: C): Promise<Services[C]> {
    try {
      return await this.#openers[name]();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw yadoError('nothingToLend', { computer: this.#computer, class: name, reason }, error);
    }
  }

  async #giveBack({ device, epoch }: ControlRequest<'giveBack'>): Promise<ControlAnswer<'giveBack'>> {
    for (const [name, lent] of Object.entries(this.#lent) as [LendableClass, Lent<LendableClass>][]) {
      if (lent.device !== device) continue;
      if (epoch < lent.epoch) throw this.#stale(device, epoch, lent.epoch);
      await this.#end(name, 'given back');
    }
    return {};
  }

  #use<C extends LendableClass, T>(
    name: C,
    request: { device: string; epoch: number },
    work: (service: Services[C]['service']) => Promise<T>,
  ): Promise<T> {
    const { service } = this.#find(name, request);
    return orAway(request.device, this.#computer, () => work(service));
  }

  #find<C extends LendableClass>(name: C, { device, epoch }: { device: string; epoch: number }): Lent<C> {
    const lent: Lent<C> | undefined = this.#lent[name];
    if (lent?.device !== device) throw yadoError('notLentHere', { device, computer: this.#computer });
    if (epoch < lent.epoch) throw this.#stale(device, epoch, lent.epoch);
    lent.epoch = epoch;
    lent.lastAsked = performance.now();
    return lent;
  }

  #stale(device: string, theirs: number, ours: number): Error {
    return yadoError('staleEpoch', { device, computer: this.#computer, theirs, ours });
  }

  #sweep(): void {
    const quiet = (Object.entries(this.#lent) as [LendableClass, Lent<LendableClass>][]).filter(
      ([, { lastAsked }]) => performance.now() - lastAsked > this.#quietMs,
    );
    for (const [name, lent] of quiet)
      void this.#inTurn(async () => {
        if (this.#lent[name] === lent) await this.#end(name, 'nobody asks for it any more');
      });
  }

  async #end(name: LendableClass, why: string): Promise<void> {
    const lent = this.#lent[name];
    delete this.#lent[name];
    if (!lent) return;
    log(`${lent.typeName} comes back from ${lent.osId}: ${why}`);
    await lent.service.stop().catch((error: Error) => log(`${lent.typeName}: ${error.message}`));
    this.#changed();
  }

  /** Opening and ending are never mixed. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}
