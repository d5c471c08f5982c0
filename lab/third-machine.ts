// The third machine: the lab's own namespace on the host, from which the OS is watched.
// Runs programs beside the computers; they die with us. It never takes part in a migration.

import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { ClockReport } from './clock.ts';
import { LabError } from './lab-error.ts';
import type { LabNetwork } from './network.ts';
import type { ProbeReport } from './probe.ts';
import { endChild, type Finished } from './process.ts';
import type { RedisReport } from './redis-client.ts';
import type { TcpClientReport } from './tcp-client.ts';

/** A watching program: ended by `stop`, which gives what it saw. */
export interface Watcher<Report> extends AsyncDisposable {
  stop(): Promise<Report>;
}

export class ThirdMachine {
  readonly #network: LabNetwork;
  readonly #children = new Set<ChildProcess>();

  constructor(network: LabNetwork) {
    this.#network = network;
  }

  /** Starts a program on the third machine. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = this.#network.spawn(argv, options);
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  /** Runs a program on the third machine to its end. */
  run(argv: readonly string[], options: { input?: string } = {}): Promise<Finished> {
    return this.#network.run(argv, options);
  }

  /** Records the lab's network traffic into a pcap file until stopped. */
  async capture(file: string): Promise<Watcher<string>> {
    const child = this.#network.capture(file);
    this.#children.add(child);
    return this.#watcher(child, async () => {
      await endChild(child, 'SIGINT');
      return file;
    });
  }

  /** Holds one TCP connection to a ticker with traffic both ways (tcp-client.ts). */
  watchConnection(address: string, port: number): Promise<Watcher<TcpClientReport>> {
    return this.#reporter<TcpClientReport>('tcp-client.ts', address, port);
  }

  /** Probes a ticker every 10 ms for the longest time without an answer (probe.ts). */
  probe(address: string, port: number): Promise<Watcher<ProbeReport>> {
    return this.#reporter<ProbeReport>('probe.ts', address, port);
  }

  /** Writes into a redis-server over one connection and checks every answer (redis-client.ts). */
  useRedis(address: string, port: number): Promise<Watcher<RedisReport>> {
    return this.#reporter<RedisReport>('redis-client.ts', address, port);
  }

  /** How far the wall clock behind a ticker is from the host's (clock.ts). */
  async clock(address: string, port: number): Promise<ClockReport> {
    const report = await (await this.#reporter<ClockReport>('clock.ts', address, port)).stop();
    if (report.answers === 0) throw new LabError(`the clock at ${address}:${port} does not answer`);
    return report;
  }

  /** Starts a program of ours that says "ready" on stderr and, when its input ends, its report on stdout. */
  async #reporter<Report>(file: string, address: string, port: number): Promise<Watcher<Report>> {
    const argv = [process.execPath, join(import.meta.dirname, file), address, String(port)];
    const child = this.spawn(argv, { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin!.on('error', () => {});
    const output = text(child.stdout!);
    const first = await Promise.race([once(child.stderr!, 'data'), once(child, 'exit')]);
    if (!String(first[0]).startsWith('ready')) {
      await endChild(child);
      throw new LabError(`${file} cannot reach ${address}:${port}: ${String(first[0]).trim()}`);
    }
    child.stderr!.resume();
    return this.#watcher(child, async () => {
      child.stdin!.end();
      return JSON.parse(await output) as Report;
    });
  }

  #watcher<Report>(child: ChildProcess, stop: () => Promise<Report>): Watcher<Report> {
    return { stop, [Symbol.asyncDispose]: () => endChild(child) };
  }

  /** Ends all that still runs here. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children].map(child => endChild(child)));
  }
}
