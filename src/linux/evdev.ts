// One real input device through /dev/input/eventN: reading, taking it for ourselves, its keys, axes and lights.
// Never waits but in `wait`. Knows nothing of what the events are for.
import { C } from '#linux/abi.ts';
import { INPUT, INPUT_OFFSET, INPUT_SIZE } from '#linux/abi-input.ts';
import { ioctl, open, read, waitFd, write } from '#linux/ffi.ts';
import { decodeKernelEvents, encodeKernelEvents } from '#linux/input-event.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { SystemError } from '#linux/system-error.ts';
import type { InputEvent } from '#wire/input-events.ts';

export interface AxisState {
  readonly value: number;
  readonly minimum: number;
  readonly maximum: number;
}

const eventsAtOnce = 64;
const keyBytes = 96; // KEY_CNT bits
const waitMs = 2 ** 31 - 1;

export class Evdev implements Disposable {
  readonly #fd: OwnedFd;
  readonly #buffer = Buffer.alloc(eventsAtOnce * INPUT_SIZE['struct input_event']);

  /** @throws SystemError ENOENT, ENODEV when it has just been unplugged */
  constructor(path: string) {
    this.#fd = new OwnedFd(open(path, C.O_RDWR | C.O_NONBLOCK));
  }

  /** From now on nobody else gets its events, the kernel's own console neither. @throws SystemError EBUSY */
  grab(): void {
    ioctl(this.#fd.fd, INPUT.EVIOCGRAB, 1, 'EVIOCGRAB');
  }

  letGo(): void {
    ioctl(this.#fd.fd, INPUT.EVIOCGRAB, 0, 'EVIOCGRAB');
  }

  /** Codes of the keys and buttons that are down now. Takes their events out of the queue. */
  keysDown(): number[] {
    const bits = Buffer.alloc(keyBytes);
    ioctl(this.#fd.fd, INPUT['EVIOCGKEY(96)'], bits, 'EVIOCGKEY');
    const codes: number[] = [];
    for (let code = 0; code < keyBytes * 8; code++)
      if (bits[code >> 3]! & (1 << (code & 7))) codes.push(code);
    return codes;
  }

  axis(code: number): AxisState {
    const info = Buffer.alloc(INPUT_SIZE['struct input_absinfo']);
    ioctl(this.#fd.fd, INPUT['EVIOCGABS(0)'] + code, info, 'EVIOCGABS');
    const offset = INPUT_OFFSET['struct input_absinfo'];
    return {
      value: info.readInt32LE(offset.value),
      minimum: info.readInt32LE(offset.minimum),
      maximum: info.readInt32LE(offset.maximum),
    };
  }

  /** What is there now; empty when nothing is. @throws SystemError ENODEV when it was unplugged */
  read(): InputEvent[] {
    try {
      return decodeKernelEvents(this.#buffer.subarray(0, read(this.#fd.fd, this.#buffer)));
    } catch (error) {
      if (error instanceof SystemError && ['EAGAIN', 'EINTR'].includes(error.code)) return [];
      throw error;
    }
  }

  write(events: readonly InputEvent[]): void {
    write(this.#fd.fd, encodeKernelEvents(events));
  }

  /** Until something can be read or the device has gone. @throws the signal's reason */
  wait(signal: AbortSignal): Promise<void> {
    return waitFd(this.#fd.fd, 'readable', { timeoutMs: waitMs, signal, what: 'an input device' });
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}
