// Runs on the third machine: asks a ticker every 10 ms, by datagram and on one TCP connection, and prints a JSON
// report when its input ends. The datagram gap is the downtime: TCP adds its own waits before it sends again.

import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** The longest time without an answer. Times in ms; `atMs` counts from the probe's start. */
export interface GapReport {
  readonly longestGapMs: number;
  readonly atMs: number;
  /** Median and 99th percentile between two answers: how fine the longest gap can be read. */
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly sent: number;
  readonly answered: number;
}

export interface ProbeReport {
  /** The downtime as the third machine sees it: the datagrams' longest gap. */
  readonly downtimeMs: number;
  readonly datagram: GapReport;
  readonly tcp: GapReport & { readonly connectionLost: boolean };
}

/** Collects the times of answers. Pure: the time comes in. */
export class Gaps {
  sent = 0;
  readonly #startMs: number;
  readonly #gaps: number[] = [];
  #lastMs: number;
  #longest = 0;
  #atMs = 0;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
    this.#lastMs = nowMs;
  }

  /** An answer came (or the watch ends, which closes the last gap). */
  answer(nowMs: number): void {
    const gap = nowMs - this.#lastMs;
    if (gap > this.#longest) {
      this.#longest = gap;
      this.#atMs = this.#lastMs - this.#startMs;
    }
    this.#gaps.push(gap);
    this.#lastMs = nowMs;
  }

  report(nowMs: number): GapReport {
    const answered = this.#gaps.length;
    this.answer(nowMs);
    const sorted = this.#gaps.toSorted((x, y) => x - y);
    const at = (share: number): number =>
      Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 10) / 10;
    return {
      longestGapMs: Math.round(this.#longest),
      atMs: Math.round(this.#atMs),
      medianMs: at(0.5),
      p99Ms: at(0.99),
      sent: this.sent,
      answered,
    };
  }
}

const everyMs = 10;

function main(host: string, port: number): void {
  const datagram = new Gaps(performance.now());
  const tcp = new Gaps(performance.now());
  let connectionLost = false;
  const socket = createSocket('udp4');
  const stream = connect({ host, port, noDelay: true });
  const lost = (why: string): void => {
    connectionLost = true;
    process.stderr.write(`${why}\n`);
  };
  socket.on('message', () => datagram.answer(performance.now()));
  socket.on('error', () => {}); // no route for a moment is part of a gap
  stream.on('error', error => lost(error.message));
  stream.on('end', () => lost('closed by the other side'));
  createInterface({ input: stream }).on(
    'line',
    line => line.startsWith('E P') && tcp.answer(performance.now()),
  );
  stream.once('connect', () => {
    process.stderr.write('ready\n');
    setInterval(() => {
      socket.send(`P ${++datagram.sent}`, port, host, () => {});
      // While TCP is silent its buffer would only grow: one question every 10 ms, but a bounded number ahead.
      if (!connectionLost && stream.writableLength < 4096) stream.write(`P ${++tcp.sent}\n`);
    }, everyMs);
  });
  process.stdin.resume().on('end', () => {
    const now = performance.now();
    const seen = datagram.report(now);
    const report: ProbeReport = {
      downtimeMs: seen.longestGapMs,
      datagram: seen,
      tcp: { ...tcp.report(now), connectionLost },
    };
    process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
  });
}

if (import.meta.main) main(process.argv[2] ?? '', Number(process.argv[3]));
