// The cable between A and B for a stream over loopback: it can be pulled, put back, and be forgotten. What is under way
// then waits, nobody is told.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Cable {
  readonly #server: Server;
  readonly #ends: Socket[] = [];
  readonly #pulled: () => void;
  readonly #back: () => void;
  #isCut = false;

  private constructor(server: Server, pulled: () => void, back: () => void) {
    this.#server = server;
    this.#pulled = pulled;
    this.#back = back;
  }

  /** To what listens on `port`. `pulled` and `back` are for what does not go through here. */
  static async plug(port: number, pulled: () => void, back: () => void): Promise<Cable> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const cable = new Cable(server, pulled, back);
    server.on('connection', near => cable.#join(near, port));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return cable;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #join(near: Socket, port: number): void {
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.#ends.push(near, far);
    if (!this.#server.listening) this.unplug(); // it was on its way when the cable was forgotten
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        if (to.write(chunk)) return;
        from.pause();
        to.once('drain', () => this.#isCut || from.resume());
      });
      from.on('end', () => this.#whenThere(() => to.end()));
      // Not `resetAndDestroy`: behind an end that is under way it fails, and Node never comes to the end of its process.
      from.on('error', () => this.#whenThere(() => to.destroy()));
    }
    if (!this.#isCut) near.resume();
  }

  /** An end or a reset does not get through a cable that is pulled either. */
  #whenThere(work: () => void): void {
    if (!this.#isCut) work();
    else this.#waiting.push(work);
  }
  #waiting: (() => void)[] = [];

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
    for (const end of this.#ends) end.pause();
    this.#pulled();
  }

  heal(): void {
    this.#isCut = false;
    this.#back();
    for (const work of this.#waiting.splice(0)) work();
    for (const end of this.#ends) end.resume();
  }

  unplug(): void {
    this.#server.close();
    for (const end of this.#ends) end.destroy();
  }
}
