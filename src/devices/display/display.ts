// The display class. Programs and consoles draw on the stub; a pump carries the picture to the card of whatever computer
// the OS is on (ways 1 and 2), or to a screen that another computer lends (way 3). The card is opened anew on every
// computer, and whenever one appears: the stub, which moves with the OS, holds the picture.
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { ControlSession } from '#managers/control-session.ts';
import { waitUntil } from '#managers/wait.ts';
import {
  type Arrival,
  type Device,
  type DevicePlans,
  type Move,
  reasonOf,
  rememberedType,
} from '../device.ts';
import { saysNo } from '../lender-says-no.ts';
import { cardName, findCard, listKmsCards } from './card.ts';
import { consolesToCard, giveCardsFramebuffers, noFramebuffersSteps } from './console.ts';
import { type DisplayDriver, LocalDisplay } from './driver.ts';
import { PlugAndPlayDisplay } from './plug-and-play.ts';
import { Pump } from './pump.ts';
import { RemoteDisplay } from './remote.ts';
import { displayItems } from './state.ts';
import { DisplayStub } from './stub.ts';

const retryMs = 1000;
/** A driver that was just bound needs this long at most until its screens are known. */
const probeMs = 10_000;
/** A computer that lends its screen and does not answer for so long is gone. */
const goneMs = 30_000;

/** A screen to show the stub on: the driver is opened anew after every failure. */
export interface Screen {
  /** Before it is opened for the first time. */
  ready?(): Promise<void>;
  open(): DisplayDriver;
  /** One that shows nothing for so long is given up. */
  readonly patienceMs: number;
}

/** The display of this OS, on its stub when it has one. */
export function display(remembered?: unknown): Display | PlugAndPlayDisplay {
  const stub = DisplayStub.find();
  return stub ? new Display(stub, remembered) : new PlugAndPlayDisplay(remembered);
}

type Stub = Pick<DisplayStub, 'now' | 'picture' | 'path' | 'watchMode' | 'consoles' | 'takeConsoles'>;

/** Exported for its test. */
export class Display implements Device {
  readonly id = 'display0';
  readonly isMadeHere = true;
  readonly #stub: Stub;
  readonly #osType: string;
  readonly #retryMs: number;
  #keeping: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  #pump: Pump | undefined;
  /** Why nothing is shown, in words. */
  #why = 'the agent has just started';

  constructor(stub: Stub, remembered: unknown, retry = retryMs) {
    this.#stub = stub;
    this.#retryMs = retry;
    this.#osType = rememberedType(remembered) ?? cardName(findCard());
  }

  memory(): object {
    return { typeName: this.#osType };
  }

  describe(elsewhere: string | undefined): DeviceStatusRow {
    const pump = this.#pump;
    const actualType = pump?.driver.typeName ?? 'none';
    const local = actualType === this.#osType ? 'direct' : 'converted';
    const { surface, picture } = this.#stub.now();
    const { path } = this.#stub;
    return {
      device: this.id,
      class: 'display',
      osType: this.#osType,
      actualType,
      way: !pump ? 'lost' : elsewhere === undefined ? local : 'remote',
      items: displayItems({
        surface,
        picture,
        path,
        consoles: this.#stub.consoles(),
        framesDrawn: pump?.framesDrawn ?? 0,
        shown: pump?.shown,
        why: this.#why,
      }),
    };
  }

  pciAddress(): string | undefined {
    return findCard()?.address;
  }

  /**
   * After `hold` nothing hangs on the card. A plan that finds a network card at the target finds this card too: it is to
   * have no framebuffer of its own, as in every scan. The next scan, after the thaw, gives that back.
   */
  plans({ source, removed }: Move): DevicePlans {
    return removed.includes(source.nic?.pciAddress ?? '') ? { arrive: noFramebuffersSteps() } : {};
  }

  scanning(isOn: boolean): void {
    giveCardsFramebuffers(!isOn);
  }

  leaveBehind(): undefined {
    return undefined;
  }

  /** Lets go of the card altogether: it may be taken away while the OS is frozen. */
  async hold(): Promise<void> {
    await this.#stop();
    this.#why = 'the OS is moving';
    this.#stub.takeConsoles();
  }

  /** Returns when the screen shows the picture, or cannot for now. */
  async restore(arrival: Arrival): Promise<void> {
    await this.#stop();
    const abort = new AbortController();
    const { promise: first, resolve: tried } = Promise.withResolvers<void>();
    const { signal } = abort;
    const screen = arrival.route<Screen>({
      here: () => ({
        ready: () => cardReady(signal),
        open: () => LocalDisplay.open(),
        patienceMs: Number.POSITIVE_INFINITY,
      }),
      there: ({ peer, device, epoch }) => ({
        open: () => new RemoteDisplay(new ControlSession(peer), peer.name, device, epoch, signal),
        patienceMs: goneMs,
      }),
    });
    this.#keeping = { abort, done: this.#keep(screen, arrival, signal, tried) };
    await first;
  }

  /** The agent ends: the card's own driver shows the consoles from now on. */
  async end(): Promise<void> {
    await this.#stop();
    await consolesToCard(AbortSignal.timeout(probeMs));
  }

  async #stop(): Promise<void> {
    this.#keeping?.abort.abort();
    await this.#keeping?.done;
    this.#keeping = undefined;
  }

  /** Shows the stub until told to stop, as soon as the screen can be opened. `tried` is called after the first attempt. */
  async #keep(screen: Screen, arrival: Arrival, signal: AbortSignal, tried: () => void): Promise<void> {
    const { say, gone } = arrival;
    let seenAt = performance.now();
    await screen.ready?.();
    while (!signal.aborted) {
      try {
        await using driver = screen.open();
        const pump = new Pump(this.#stub, driver);
        const { promise: failure, resolve: failed } = Promise.withResolvers<unknown>();
        await pump.start(failed);
        this.#pump = pump;
        this.#stub.takeConsoles();
        say(`${this.id}: shown on ${driver.typeName}, ${pump.shown?.mode}`);
        tried();
        const stopped = Symbol('stopped');
        const why = await Promise.race([failure, aborted(signal, stopped)]);
        this.#pump = undefined;
        await pump.stop();
        seenAt = performance.now();
        if (why !== stopped) throw why;
      } catch (error) {
        this.#pump = undefined;
        if (!signal.aborted) this.#complain(error, arrival);
        if (saysNo(error)) seenAt = -Infinity;
      }
      tried();
      if (performance.now() - seenAt > screen.patienceMs) return gone();
      await sleep(this.#retryMs, undefined, { signal }).catch(() => {});
    }
  }

  /** Once for every reason, not once a second. */
  #complain(error: unknown, { here, at, say }: Arrival): void {
    const why = reasonOf(error);
    const next =
      here.name === at.name ? `yado lend ${this.id} --to another computer` : `yado return ${this.id}`;
    if (why !== this.#why)
      say(`${this.id}: nothing is shown on ${at.name}: ${why}; looked for every second, or: ${next}`);
    this.#why = why;
  }
}

/** Waits for a driver that is still finding its screens. Where there is no card there is nothing to wait for. */
async function cardReady(signal: AbortSignal): Promise<void> {
  if (findCard()?.driver === undefined) return;
  const ready = (): true | undefined => (listKmsCards().length > 0 ? true : undefined);
  await waitUntil('a screen', ready, { timeoutMs: probeMs, everyMs: 20, signal }).catch(() => {});
}

function aborted<T>(signal: AbortSignal, value: T): Promise<T> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve(value);
    signal.addEventListener('abort', () => resolve(value), { once: true });
  });
}
