// The managers' own driver for keyboards and pointers of this computer: takes every real one for itself, reads it, shows
// the lights on it, and follows what is plugged in and out. What it reads goes to a sink: the stubs, or a queue for
// another computer.
import { watch } from 'node:fs';
import { Evdev } from '#linux/evdev.ts';
import { type InputDevice, listInputDevices } from '#linux/input-devices.ts';
import { SystemError } from '#linux/system-error.ts';
import type { InputEvent } from '#wire/input-events.ts';
import { type RealEvdev, RealInput } from './real-input.ts';

/** Where a driver delivers what it reads. */
export interface InputSink {
  /** One whole frame of keys and movements of the device `source`. */
  frame(source: string, events: readonly InputEvent[]): void;
  /** `source` is no longer there: what it held is let go. */
  gone(source: string): void;
}

/** What feeds the stubs: the devices of this computer or those of another. */
export interface InputDriver {
  /** Names of what is used now. */
  readonly names: readonly string[];
  /** True when positions are turned into movements. */
  readonly converts: boolean;
  /** Bit n is LED n. */
  setLights(lights: number): void;
  /** Ends reading; the sink has been told of everything that is gone when this returns. */
  release(): Promise<void>;
}

const inputDirectory = '/dev/input';
/** Plugging is watched; this finds what could not be taken before, and what the watch did not tell. */
const lookEveryMs = 5000;

/** The computer's input devices; tests have their own. */
export interface InputPorts {
  list(): InputDevice[];
  /** @throws SystemError ENOENT or ENODEV when it is not there */
  open(path: string): RealEvdev;
  readonly lookEveryMs: number;
}

const realPorts: InputPorts = {
  list: () => listInputDevices(),
  open: path => new Evdev(path),
  lookEveryMs,
};

export class LocalInput implements InputDriver {
  readonly #sink: InputSink;
  readonly #say: (text: string) => void;
  readonly #ports: InputPorts;
  readonly #used = new Map<string, RealInput>();
  readonly #refused = new Set<string>();
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #lights = 0;

  constructor(sink: InputSink, say: (text: string) => void, ports = realPorts) {
    this.#sink = sink;
    this.#say = say;
    this.#ports = ports;
    this.#look();
    this.#timer = setInterval(() => this.#look(), ports.lookEveryMs);
    this.#watch();
  }

  get names(): readonly string[] {
    return [...this.#used.values()].map(each => each.name);
  }

  get converts(): boolean {
    return [...this.#used.values()].some(each => each.absolute);
  }

  setLights(lights: number): void {
    this.#lights = lights;
    for (const each of this.#used.values()) each.setLights(lights);
  }

  async release(): Promise<void> {
    clearInterval(this.#timer);
    this.#end.abort();
    const used = [...this.#used.values()];
    await Promise.all(used.map(each => each.release()));
  }

  #ended({ id, name }: InputDevice): void {
    this.#used.delete(id);
    if (this.#end.signal.aborted) return;
    const rest = this.#used.size === 0 ? '; no other is left, the next one plugged in is used' : '';
    this.#say(`${name} was unplugged${rest}`);
  }

  /** Without a watch (no input device yet, no inotify left) the slow look finds what is plugged in. */
  #watch(): void {
    try {
      const watcher = watch(inputDirectory, () => this.#look());
      watcher.on('error', () => watcher.close());
      this.#end.signal.addEventListener('abort', () => watcher.close(), { once: true });
    } catch {}
  }

  #look(): void {
    for (const device of this.#ports.list()) {
      if (this.#end.signal.aborted || device.path === undefined || this.#used.has(device.id)) continue;
      try {
        const real = new RealInput(device, this.#ports.open(device.path), this.#sink);
        real.setLights(this.#lights);
        this.#used.set(device.id, real);
        this.#refused.delete(device.id);
        void real.ended.then(() => this.#ended(device));
      } catch (error) {
        // Being made or unplugged just now, or another program has it for itself: the next look tries again.
        if (!(error instanceof SystemError)) throw error;
        if (error.code === 'EBUSY' && !this.#refused.has(device.id)) {
          this.#refused.add(device.id);
          this.#say(`${device.name} at ${device.path} is taken by another program; it is tried again`);
        }
      }
    }
  }
}
