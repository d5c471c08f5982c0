// Input devices made by a program (/dev/uinput): what is written is typed, what is read are the lights programs set.
// The device lives as long as its descriptor; when that is closed, by whatever end, the kernel lets all its keys go.
import { C } from '#linux/abi.ts';
import { INPUT, INPUT_OFFSET, INPUT_SIZE } from '#linux/abi-input.ts';
import { ioctl, open, read, waitFd, write } from '#linux/ffi.ts';
import { decodeKernelEvents, encodeKernelEvents } from '#linux/input-event.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { listNames } from '#linux/sysfs.ts';
import { SystemError } from '#linux/system-error.ts';
import type { InputEvent } from '#wire/input-events.ts';

export interface UinputDescription {
  readonly name: string;
  readonly product: number;
  readonly keys: readonly number[];
  readonly axes?: readonly number[];
  readonly lights?: readonly number[];
}

const waitMs = 2 ** 31 - 1;
const eventsAtOnce = 16; // drivers/input/misc/uinput.c keeps no more

export class Uinput implements Disposable {
  readonly #fd: OwnedFd;

  /** @throws SystemError ENOENT, ENODEV when the module uinput is not there */
  constructor(description: UinputDescription) {
    using fd = new OwnedFd(open('/dev/uinput', C.O_RDWR | C.O_NONBLOCK));
    const { keys, axes = [], lights = [] } = description;
    const kinds = [
      [INPUT.EV_KEY, INPUT.UI_SET_KEYBIT, keys],
      [INPUT.EV_REL, INPUT.UI_SET_RELBIT, axes],
      [INPUT.EV_LED, INPUT.UI_SET_LEDBIT, lights],
    ] as const;
    for (const [type, request, codes] of kinds) {
      if (codes.length > 0) ioctl(fd.fd, INPUT.UI_SET_EVBIT, type, 'UI_SET_EVBIT');
      for (const code of codes) ioctl(fd.fd, request, code, 'UI_SET_*BIT');
    }
    ioctl(fd.fd, INPUT.UI_DEV_SETUP, encodeSetup(description), 'UI_DEV_SETUP');
    ioctl(fd.fd, INPUT.UI_DEV_CREATE, 0, 'UI_DEV_CREATE');
    this.#fd = new OwnedFd(fd.take());
  }

  /** "/dev/input/eventN", or the name in sysfs when the module evdev is not there. */
  get path(): string {
    const buffer = Buffer.alloc(64);
    ioctl(this.#fd.fd, INPUT['UI_GET_SYSNAME(64)'], buffer, 'UI_GET_SYSNAME');
    const name = buffer.toString('latin1', 0, buffer.indexOf(0));
    const event = listNames('/sys/class/input', name).find(each => each.startsWith('event'));
    return event ? `/dev/input/${event}` : name;
  }

  /** One write for one frame: programs see it whole. */
  write(events: readonly InputEvent[]): void {
    write(this.#fd.fd, encodeKernelEvents(events));
  }

  /** What programs of the OS have set; empty when there is nothing. */
  read(): InputEvent[] {
    const buffer = Buffer.alloc(eventsAtOnce * INPUT_SIZE['struct input_event']);
    try {
      return decodeKernelEvents(buffer.subarray(0, read(this.#fd.fd, buffer)));
    } catch (error) {
      if (error instanceof SystemError && ['EAGAIN', 'EINTR'].includes(error.code)) return [];
      throw error;
    }
  }

  wait(signal: AbortSignal): Promise<void> {
    return waitFd(this.#fd.fd, 'readable', { timeoutMs: waitMs, signal, what: 'an input stub' });
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

function encodeSetup({ name, product }: UinputDescription): Buffer {
  const offset = INPUT_OFFSET['struct uinput_setup'];
  const setup = Buffer.alloc(INPUT_SIZE['struct uinput_setup']);
  setup.writeUInt16LE(INPUT.BUS_VIRTUAL, offset['id.bustype']);
  setup.writeUInt16LE(product, offset['id.product']);
  setup.write(name, offset.name, INPUT.UINPUT_MAX_NAME_SIZE - 1, 'latin1');
  return setup;
}
