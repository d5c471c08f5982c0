// The lender's side of `yado lend`: devices of this computer that serve an OS elsewhere. One of a class at a time; the
// newest epoch of that OS counts, older ones are turned away. Ends when it is given back, or when nobody asks any more.
import { type LendableClass, lendableClasses } from '#core/device-class.ts';
import { yadoError } from '#core/errors.ts';
import {
  answerOf,
  type DeviceAnswer,
  type DeviceMessage,
  type DeviceRequest,
  type LentService,
} from '#devices/service.ts';
import type { LendableList } from '#managers/service-list.ts';
import type { ControlAnswer, ControlRequest } from '#wire/control.ts';
import type { ControlHandlers } from './control-server.ts';
import { orAway } from './device-away.ts';
import { log } from './log.ts';

interface Lent {
  readonly osId: string;
  readonly device: string;
  readonly typeName: string;
  readonly service: LentService;
  epoch: number;
  lastAsked: number;
}

export class LentDevices {
  readonly #computer: string;
  readonly #load: (name: LendableClass) => Promise<void>;
  readonly #classes: LendableList;
  readonly #quietMs: number;
  readonly #changed: () => void;
  readonly #lent = new Map<LendableClass, Lent>();
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * @param quietMs a device nobody asks for so long is taken back
   * @param load brings the drivers of a class into the kernel, where that can be done
   * @param changed called when something was lent or has come back
   */
  constructor(
    computer: string,
    quietMs: number,
    load: (name: LendableClass) => Promise<void>,
    changed: () => void,
    classes: LendableList,
  ) {
    this.#computer = computer;
    this.#quietMs = quietMs;
    this.#changed = changed;
    this.#load = load;
    this.#classes = classes;
    setInterval(() => this.#sweep(), quietMs / 4).unref();
  }

  /** What is lent, for a person before this computer. */
  get words(): string[] {
    return [...this.#lent.values()].map(each => `${each.typeName} to ${each.osId}`);
  }

  readonly handlers = {
    lend: request => this.#inTurn(() => this.#lend(request)),
    giveBack: (request, asker) => this.#inTurn(() => this.#giveBack(request, asker)),
  } as const satisfies ControlHandlers;

  /** Messages that a lent device may answer. */
  get messages(): ReadonlySet<DeviceMessage> {
    return new Set(lendableClasses.flatMap(name => this.#classes[name].lend.messages));
  }

  /** @throws YadoError `notLentHere`, `staleEpoch`, or what the device's own service throws */
  answer<T extends DeviceMessage>(
    type: T,
    request: ControlRequest<T> & DeviceRequest,
    asker: string,
  ): DeviceAnswer<T> {
    const { device, epoch } = request;
    const lent = [...this.#lent.values()].find(
      each => each.osId === asker && each.device === device && each.service[type],
    );
    if (!lent) throw yadoError('notLentHere', { device, computer: this.#computer });
    if (epoch < lent.epoch) throw this.#stale(device, epoch, lent.epoch);
    lent.epoch = epoch;
    lent.lastAsked = performance.now();
    return orAway(device, this.#computer, () => answerOf(lent.service, type, request));
  }

  /** Before this computer takes in an OS: it needs its devices itself. */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      for (const name of [...this.#lent.keys()]) await this.#end(name, 'needed here');
    });
  }

  async #lend({ osId, device, class: name, epoch }: ControlRequest<'lend'>): Promise<ControlAnswer<'lend'>> {
    const there = this.#lent.get(name);
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
    this.#lent.set(name, { osId, device, epoch, typeName, service, lastAsked: performance.now() });
    log(`lending ${typeName} to ${osId} as ${device}, epoch ${epoch}`);
    this.#changed();
    return { typeName };
  }

  async #open(name: LendableClass): Promise<Pick<Lent, 'typeName' | 'service'>> {
    try {
      await this.#load(name);
      return await this.#classes[name].lend.open(log);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw yadoError('nothingToLend', { computer: this.#computer, class: name, reason }, error);
    }
  }

  async #giveBack(
    { device, epoch }: ControlRequest<'giveBack'>,
    asker: string,
  ): Promise<ControlAnswer<'giveBack'>> {
    for (const [name, lent] of [...this.#lent]) {
      if (lent.device !== device || lent.osId !== asker) continue;
      if (epoch < lent.epoch) throw this.#stale(device, epoch, lent.epoch);
      await this.#end(name, 'given back');
    }
    return {};
  }

  #stale(device: string, theirs: number, ours: number): Error {
    return yadoError('staleEpoch', { device, computer: this.#computer, theirs, ours });
  }

  #sweep(): void {
    const quiet = [...this.#lent].filter(
      ([, { lastAsked }]) => performance.now() - lastAsked > this.#quietMs,
    );
    for (const [name, lent] of quiet)
      void this.#inTurn(async () => {
        if (this.#lent.get(name) === lent) await this.#end(name, 'nobody asks for it any more');
      });
  }

  async #end(name: LendableClass, why: string): Promise<void> {
    const lent = this.#lent.get(name);
    this.#lent.delete(name);
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
