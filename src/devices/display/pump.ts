// The loop that carries the picture from the stub to a screen: looks for changes about thirty times a second, converts
// and draws what has changed, and never holds more than one frame: a slow screen gets fewer frames, not late ones.
import { setTimeout as sleep } from 'node:timers/promises';
import { Shadow } from './changes.ts';
import type { DisplayDriver } from './driver.ts';
import type { Shown } from './state.ts';
import { isShowable, type Surface } from './translate.ts';

/** What the pump needs of the stub. */
export interface Picture {
  /** A function that gives the mode when it is another than at its last call; the first call always tells. */
  watchMode(): () => Surface | undefined;
  /** The visible part of the framebuffer, which programs draw on at any time. */
  readonly picture: Buffer;
}

/** While one look after the other finds something, and else (a blinking cursor): changes are shown within 50 ms. */
const busyMs = 33;
const idleMs = 42;
const checkMs = 1000;
/** Other work of the agent gets at least this time between two frames. */
const leastRestMs = 5;

export class Pump {
  readonly driver: DisplayDriver;
  readonly #source: Picture;
  #shown: Shown | undefined;
  #framesDrawn = 0;
  #stopping = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(source: Picture, driver: DisplayDriver) {
    this.#source = source;
    this.driver = driver;
  }

  get shown(): Shown | undefined {
    return this.#shown;
  }

  get framesDrawn(): number {
    return this.#framesDrawn;
  }

  /**
   * Shows the whole picture, then goes on with its changes by itself. `failed` is called when the screen fails later.
   * @throws whatever the driver throws while the first picture is brought up
   */
  async start(failed: (error: unknown) => void): Promise<void> {
    const step = this.#stepper();
    await step();
    this.#ended = this.#run(step).catch((error: unknown) => {
      this.#shown = undefined;
      failed(error);
    });
  }

  /** Nothing is drawn any more when this returns. The driver stays open. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#ended;
  }

  async #run(step: () => Promise<boolean>): Promise<void> {
    let [drew, drewBefore] = [false, false];
    let checkedAt = performance.now();
    while (!this.#stopping) {
      const startedAt = performance.now();
      [drewBefore, drew] = [drew, await step()];
      if (!drew && startedAt - checkedAt > checkMs) {
        checkedAt = startedAt;
        await this.driver.check();
      }
      const every = drew && drewBefore ? busyMs : idleMs;
      await sleep(Math.max(leastRestMs, every - (performance.now() - startedAt)));
    }
  }

  /** One look: true when something was drawn. */
  #stepper(): () => Promise<boolean> {
    let shadow: Shadow | undefined;
    const newMode = this.#source.watchMode();
    return async () => {
      const mode = newMode();
      if (mode) shadow = await this.#configure(mode);
      if (!shadow) return false;
      const { picture } = this.#source;
      const rects = mode ? shadow.takeAll(picture) : shadow.update(picture);
      if (rects.length === 0) return false;
      await this.driver.draw(shadow.bytes, rects);
      this.#framesDrawn++;
      return true;
    };
  }

  async #configure(mode: Surface): Promise<Shadow | undefined> {
    if (!isShowable(mode.format)) {
      const bits = mode.format.bitsPerPixel;
      this.#shown = { mode: this.#shown?.mode ?? 'none', conversion: `${bits} bits a pixel are not shown` };
      return undefined;
    }
    this.#shown = await this.driver.configure(mode);
    return new Shadow(mode);
  }
}
