// The lab's network: an unnamed network namespace with a bridge and one tap device a computer.
// The namespace itself is the third machine (10.77.0.254). It lives in a keeper process, so it cannot be left behind:
// when the process that made it dies, the keeper dies, and with it namespace, bridge and taps.

import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { LabError } from './lab-error.ts';
import { endChild, type Finished, run, runAny, spawnTied } from './process.ts';

/** Address of the third machine in the lab's network. */
export const thirdAddress = '10.77.0.254';
const bridge = 'lab0';

const setUp = [
  'set -e',
  'ip link set lo up',
  `ip link add ${bridge} address 52:54:00:00:01:fe type bridge forward_delay 0 stp_state 0 mcast_snooping 0`,
  `ip address add ${thirdAddress}/24 dev ${bridge}`,
  `ip link set ${bridge} up`,
  // The third machine's connections try again at once after a gap instead of backing off for seconds.
  'echo 1 >/proc/sys/net/ipv4/tcp_thin_linear_timeouts',
  'echo ready',
  'exec cat',
].join('\n');

/** One lab's network, for as long as it is not disposed. */
export class LabNetwork {
  readonly #keeper: ChildProcess;

  private constructor(keeper: ChildProcess) {
    this.#keeper = keeper;
  }

  /** Makes the namespace and its bridge. @throws LabError without root or without the tools. */
  static async create(): Promise<LabNetwork> {
    const keeper = spawnTied(['unshare', '--net', 'sh', '-c', setUp], { stdio: ['pipe', 'pipe', 'pipe'] });
    keeper.stdin!.on('error', () => {});
    let errors = '';
    keeper.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    await new Promise<void>((resolve, reject) => {
      keeper.stdout!.once('data', () => resolve());
      keeper.once('error', reject);
      keeper.once('exit', () =>
        reject(
          new LabError(
            `cannot make the lab's network: ${errors.trim()}`,
            'the lab needs root: run it through sudo',
          ),
        ),
      );
    });
    return new LabNetwork(keeper);
  }

  /** The command that runs `argv` inside the namespace. */
  inside(argv: readonly string[]): string[] {
    return ['nsenter', `--net=/proc/${this.#keeper.pid}/ns/net`, '--', ...argv];
  }

  /** Starts a process on the third machine; it dies with us. */
  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawnTied(this.inside(argv), options);
  }

  /** Runs a process on the third machine to its end. */
  run(argv: readonly string[], options: SpawnOptions & { input?: string } = {}): Promise<Finished> {
    return runAny(this.inside(argv), options);
  }

  /** Plugs a new cable for a computer into the bridge. Gives the tap device's name. */
  async plug(computer: string): Promise<string> {
    const tap = `tap-${computer}`;
    await run(this.inside(['ip', 'tuntap', 'add', tap, 'mode', 'tap', 'vnet_hdr']));
    await run(this.inside(['ip', 'link', 'set', tap, 'master', bridge, 'up']));
    return tap;
  }

  /** Pulls (false) or puts back (true) a computer's cable. */
  async setCable(computer: string, plugged: boolean): Promise<void> {
    await run(this.inside(['ip', 'link', 'set', `tap-${computer}`, plugged ? 'up' : 'down']));
  }

  /** Makes a computer's cable a slow one: at most `megabits` per second towards it; undefined: as fast as it goes. */
  async setRate(computer: string, megabits: number | undefined): Promise<void> {
    const qdisc = (...words: string[]) => run(this.inside(['tc', 'qdisc', ...words]));
    const device = ['dev', `tap-${computer}`, 'root'];
    if (megabits === undefined) await qdisc('del', ...device);
    else await qdisc('add', ...device, 'tbf', 'rate', `${megabits}mbit`, 'burst', '256k', 'latency', '200ms');
  }

  /** Records what passes the bridge into a pcap file until the returned process is ended (SIGINT ends it whole). */
  capture(file: string): ChildProcess {
    return this.spawn(['tcpdump', '-i', bridge, '-U', '-s', '256', '-w', file], { stdio: 'ignore' });
  }

  /** Ends the namespace. Processes still inside keep it alive: end them first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await endChild(this.#keeper);
  }
}
