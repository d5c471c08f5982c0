// A file descriptor with one owner: closed when its scope ends, unless somebody took it over.
// It never closes a descriptor that was taken.
import { close } from '#linux/ffi.ts';

/** Use with `using`; `take()` hands the raw fd to another owner, who then closes it. */
export class OwnedFd implements Disposable {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The raw descriptor. Throws when it was taken or closed. */
  get fd(): number {
    if (this.#fd < 0) throw new Error('file descriptor used after it was closed or taken');
    return this.#fd;
  }

  take(): number {
    const fd = this.fd;
    this.#fd = -1;
    return fd;
  }

  [Symbol.dispose](): void {
    if (this.#fd >= 0) close(this.take());
  }
}
