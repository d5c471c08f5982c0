// Runs on the third machine: asks a ticker for its wall time by datagrams and prints how far it is from our own.
// Of many answers the quickest counts; it is uncertain by half its way.
import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';

export interface ClockReport {
  /** Wall time there minus wall time here. */
  readonly offsetMs: number;
  readonly uncertaintyMs: number;
  readonly answers: number;
}

const everyMs = 10;
const wantedAnswers = 100;
const mostQuestions = 1000;

const nowMs = (): number => performance.timeOrigin + performance.now();

async function main(host: string, port: number): Promise<void> {
  const socket = createSocket('udp4');
  const askedAt = new Map<number, number>();
  let best: ClockReport = { offsetMs: 0, uncertaintyMs: Number.POSITIVE_INFINITY, answers: 0 };
  let answers = 0;
  socket.on('error', () => {}); // no answer is an answer: it is counted
  socket.on('message', message => {
    const now = nowMs();
    const [, number, nanoseconds] = message.toString().split(' ');
    const asked = askedAt.get(Number(number));
    if (asked === undefined || nanoseconds === undefined) return;
    answers++;
    const uncertaintyMs = (now - asked) / 2;
    if (uncertaintyMs >= best.uncertaintyMs) return;
    best = { offsetMs: Number(nanoseconds) / 1e6 - asked - uncertaintyMs, uncertaintyMs, answers };
  });
  process.stderr.write('ready\n');
  for (let number = 1; answers < wantedAnswers && number <= mostQuestions; number++) {
    askedAt.set(number, nowMs());
    socket.send(`W ${number}`, port, host, () => {});
    await delay(everyMs);
  }
  process.stdout.write(`${JSON.stringify({ ...best, answers })}\n`, () => process.exit(0));
}

if (import.meta.main) await main(process.argv[2] ?? '', Number(process.argv[3]));
