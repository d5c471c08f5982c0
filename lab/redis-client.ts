// Runs on the third machine: one TCP connection to a redis-server, held for as long as our input is open. Counts up, and
// writes every count under one of some keys, one request after the other; checks each answer, and at the end what is stored.
// Prints a JSON report.

import { connect } from 'node:net';
import { createInterface } from 'node:readline';

export interface RedisReport {
  /** The verdict: every answer, and what was stored at the end, was what it had to be. */
  readonly whole: boolean;
  /** Acknowledged writes. */
  readonly writes: number;
  readonly longestSilenceMs: number;
  readonly faults: readonly string[];
}

const keys = 1000;
const everyMs = 5;

/** What is asked and what must come back. Pure: answers come in, requests go out. */
export class Ledger {
  readonly faults: string[] = [];
  writes = 0;
  #asked = 0;
  #counted = 0;

  /** Next request, as redis takes it on a line. */
  next(): string {
    this.#asked++;
    return this.#asked % 2 === 1 ? 'INCR count' : `SET key-${this.#counted % keys} ${this.#counted}`;
  }

  /** The answer to the request before; the request after it is asked only then. */
  take(answer: string): void {
    const isCount = this.#asked % 2 === 1;
    if (isCount) this.#counted++;
    this.writes++;
    const wanted = isCount ? `:${this.#counted}` : '+OK';
    if (answer !== wanted && this.faults.length < 20)
      this.faults.push(`write ${this.writes}: ${answer.slice(0, 80)} instead of ${wanted}`);
  }

  /** Values of key 0, 1, …, as they must be stored; null for one that was never written. */
  stored(): (string | null)[] {
    const last = this.#asked % 2 === 0 ? this.#counted : this.#counted - 1;
    return Array.from({ length: keys }, (_, key) => {
      const newest = last - ((((last - key) % keys) + keys) % keys);
      return newest >= 1 ? String(newest) : null;
    });
  }
}

async function main(host: string, port: number): Promise<void> {
  const ledger = new Ledger();
  const socket = connect({ host, port, noDelay: true });
  socket.once('connect', () => process.stderr.write('ready\n'));
  socket.on('error', error => {
    ledger.faults.push(`connection lost: ${error.message}`);
    process.stderr.write(`${error.message}\n`);
  });
  const lines = createInterface({ input: socket });
  lines.on('error', () => {}); // the socket's own handler says it
  const answers = lines[Symbol.asyncIterator]();
  const answer = async (): Promise<string> => {
    const { value, done } = await answers.next();
    if (done) throw new Error('the connection was closed');
    return value;
  };
  let isOpen = true;
  process.stdin.resume().on('end', () => {
    isOpen = false;
  });
  let longestSilenceMs = 0;
  try {
    while (isOpen) {
      const askedAt = performance.now();
      socket.write(`${ledger.next()}\r\n`);
      ledger.take(await answer());
      longestSilenceMs = Math.max(longestSilenceMs, performance.now() - askedAt);
      await new Promise(resolve => setTimeout(resolve, everyMs));
    }
    for (const [key, wanted] of ledger.stored().entries()) {
      socket.write(`GET key-${key}\r\n`);
      const length = await answer();
      const found = length === '$-1' ? null : await answer();
      if (found !== wanted) ledger.faults.push(`key-${key} is ${found} instead of ${wanted}`);
    }
  } catch (error) {
    ledger.faults.push(error instanceof Error ? error.message : String(error));
  }
  const report: RedisReport = {
    whole: ledger.faults.length === 0 && ledger.writes > 0,
    writes: ledger.writes,
    longestSilenceMs: Math.round(longestSilenceMs),
    faults: ledger.faults.slice(0, 20),
  };
  process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
}

if (import.meta.main) await main(process.argv[2] ?? '', Number(process.argv[3]));
