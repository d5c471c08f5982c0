// /dev/mapper/control of this computer: executes what device-mapper.ts encodes.
// Makes and removes no nodes under /dev/mapper: the kernel's /dev/dm-N is there at once, links are udev's work.
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { C, type PreparedIoctl } from '#linux/abi.ts';
import {
  type DmDevice,
  type DmTarget,
  decodeDeps,
  decodeDevice,
  decodeMessage,
  decodeTargets,
  encodeCreate,
  encodeDeviceStatus,
  encodeMessage,
  encodeRemove,
  encodeResume,
  encodeSuspend,
  encodeTableClear,
  encodeTableDeps,
  encodeTableLoad,
  encodeTableStatus,
  encodeVersion,
  isBufferFull,
  type SuspendOptions,
} from '#linux/device-mapper.ts';
import { ioctl, ioctlLater, open } from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';
import { SystemError } from '#linux/system-error.ts';

export const DM_CONTROL_PATH = '/dev/mapper/control';
const FIRST_ANSWER_BYTES = 16 * 1024;
const LARGEST_ANSWER_BYTES = 16 * 1024 * 1024;

/** Methods throw SystemError: ENXIO no such device, EBUSY name taken or device open, EINVAL bad table (see dmesg). */
export class DmControl implements Disposable {
  readonly #control: OwnedFd;

  constructor(path = DM_CONTROL_PATH) {
    mkdirSync('/dev/mapper', { recursive: true });
    this.#control = new OwnedFd(open(path, C.O_RDWR));
  }

  /** The kernel's interface version, e.g. [4, 47, 0]. */
  version(): readonly [number, number, number] {
    const answer = Buffer.from(this.#call(encodeVersion(), 'dm version'));
    return [answer.readUInt32LE(0), answer.readUInt32LE(4), answer.readUInt32LE(8)];
  }

  /** Makes an empty device; load a table and resume it next. */
  create(name: string, uuid = ''): DmDevice {
    return decodeDevice(this.#call(encodeCreate(name, uuid), `create dm ${name}`));
  }

  loadTable(name: string, targets: readonly DmTarget[], readOnly = false): void {
    this.#call(encodeTableLoad(name, targets, readOnly), `load table of dm ${name}`);
  }

  clearTable(name: string): void {
    this.#call(encodeTableClear(name), `clear table of dm ${name}`);
  }

  suspend(name: string, options: SuspendOptions = {}): void {
    this.#call(encodeSuspend(name, options), `suspend dm ${name}`);
  }

  /**
   * As `suspend`, in a thread of its own: it waits for requests under way, and the one that has to bring them on may be
   * who calls. @throws SystemError
   */
  suspendLater(name: string, options: SuspendOptions = {}): Promise<void> {
    const { request, buffer } = encodeSuspend(name, options);
    return ioctlLater(this.#control.fd, request, buffer, `suspend dm ${name}`);
  }

  resume(name: string): void {
    this.#call(encodeResume(name), `resume dm ${name}`);
  }

  remove(name: string): void {
    this.#call(encodeRemove(name), `remove dm ${name}`);
  }

  device(name: string): DmDevice {
    return decodeDevice(this.#call(encodeDeviceStatus(name), `dm ${name}`));
  }

  /** The live table. */
  table(name: string): DmTarget[] {
    return decodeTargets(this.#ask(size => encodeTableStatus(name, 'table', size), `table of dm ${name}`));
  }

  /** Each target's status text, e.g. a mirror's "2 253:1 253:2 40/100 …". */
  status(name: string): DmTarget[] {
    return decodeTargets(this.#ask(size => encodeTableStatus(name, 'status', size), `status of dm ${name}`));
  }

  /** What device-mapper, or the target, answers. */
  message(name: string, message: string): string {
    const what = `message to dm ${name}`;
    return decodeMessage(this.#ask(size => encodeMessage(name, message, size), what));
  }

  /** Devices the live table uses. */
  deps(name: string): { readonly major: number; readonly minor: number }[] {
    return decodeDeps(this.#ask(size => encodeTableDeps(name, size), `devices below dm ${name}`));
  }

  #ask(encode: (answerBytes: number) => PreparedIoctl, what: string): Uint8Array {
    for (let size = FIRST_ANSWER_BYTES; size <= LARGEST_ANSWER_BYTES; size *= 8) {
      const answer = this.#call(encode(size), what);
      if (!isBufferFull(answer)) return answer;
    }
    throw new SystemError(what, constants.errno.E2BIG);
  }

  #call(prepared: PreparedIoctl, what: string): Uint8Array {
    ioctl(this.#control.fd, prepared.request, prepared.buffer, what);
    return prepared.buffer;
  }

  [Symbol.dispose](): void {
    this.#control[Symbol.dispose]();
  }
}
