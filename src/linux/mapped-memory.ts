// Memory mapped from a device, and plain memory whose address the kernel can be given, with one owner.
// Once it is unmapped its views are empty: a late reader gets nothing instead of a crash.
import { mmap, munmap } from '#linux/ffi.ts';

export class MappedMemory implements Disposable {
  readonly address: bigint;
  readonly #length: number;
  readonly #memory: ArrayBuffer;
  /** All of it. Other views of `bytes.buffer` end with it. */
  readonly bytes: Buffer;

  /** @param fd -1: memory of no file, zeroed. @throws SystemError */
  constructor(fd: number, length: number, { offset = 0, what = 'mmap' } = {}) {
    const { address, memory } = mmap(fd, length, offset, what);
    this.address = address;
    this.#length = length;
    this.#memory = memory;
    this.bytes = Buffer.from(memory);
  }

  [Symbol.dispose](): void {
    if (this.#memory.detached) return;
    this.#memory.transfer(0); // detaches: every view of it has length 0 now
    munmap(this.address, this.#length);
  }
}
