// Runs on the third machine: one TCP connection to a ticker, held for as long as our input is open.
// Checks that nothing is lost, repeated or out of order in either direction; then prints a JSON report.

import { connect } from 'node:net';
import { createInterface } from 'node:readline';

/** What happened on the connection. `whole` is the verdict. */
export interface TcpClientReport {
  readonly whole: boolean;
  /** Lines the ticker sent on its own, and our lines that came back. */
  readonly ticks: number;
  readonly echoes: number;
  /** Our lines that have not come back yet. */
  readonly outstanding: number;
  readonly longestSilenceMs: number;
  readonly faults: readonly string[];
}

/** Checks the two sequences. Pure: the time comes in. */
export class Continuity {
  readonly faults: string[] = [];
  ticks = 0;
  echoes = 0;
  sent = 0;
  longestSilenceMs = 0;
  #lastMs: number;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** The next line to send. */
  next(): string {
    return `C ${++this.sent}`;
  }

  /** Takes a received line. */
  take(line: string, nowMs: number): void {
    this.longestSilenceMs = Math.max(this.longestSilenceMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (line === `T ${this.ticks + 1}`) this.ticks++;
    else if (line === `E C ${this.echoes + 1}`) this.echoes++;
    else if (this.faults.length < 20)
      this.faults.push(`after tick ${this.ticks}, echo ${this.echoes}: ${line.slice(0, 80)}`);
  }

  report(): TcpClientReport {
    return {
      whole: this.faults.length === 0 && this.ticks > 0 && this.echoes > 0,
      ticks: this.ticks,
      echoes: this.echoes,
      outstanding: this.sent - this.echoes,
      longestSilenceMs: Math.round(this.longestSilenceMs),
      faults: this.faults,
    };
  }
}

function main(host: string, port: number): void {
  const seen = new Continuity(performance.now());
  const socket = connect({ host, port, noDelay: true });
  const timer = setInterval(() => socket.writable && socket.write(`${seen.next()}\n`), 100);
  const finish = (): void => {
    clearInterval(timer);
    // What is on its way may still come: an answer that never comes is what the report is about.
    setTimeout(() => {
      process.stdout.write(`${JSON.stringify(seen.report())}\n`, () => process.exit(0));
    }, 500);
  };
  socket.once('connect', () => process.stderr.write('ready\n'));
  const lines = createInterface({ input: socket });
  lines.on('line', line => seen.take(line, performance.now()));
  lines.on('error', () => {}); // the socket's own handler below says it
  socket.on('error', error => {
    seen.faults.push(`connection lost: ${error.message}`);
    process.stderr.write(`${error.message}\n`);
  });
  socket.on('end', () => seen.faults.push('connection closed by the other side'));
  process.stdin.resume().on('end', finish);
}

if (import.meta.main) main(process.argv[2] ?? '', Number(process.argv[3]));
