// The driver for an IPP printer: another type than the port the OS believes in (way 2). It takes whole jobs: a job is
// sent once its last byte is known, and counts as printed when the printer has accepted it. A job whose answer was lost
// is looked for among the printer's jobs before it is sent again.
import type { ClientRequest, IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Piece, PrintAnswer, PrinterDriver } from './driver.ts';
import {
  askJobs,
  askPrinter,
  decodeIppAnswer,
  encodeIppRequest,
  hasJob,
  type IppAnswer,
  type IppAttribute,
  type IppPrinter,
  ippOperations,
  lastGoodStatus,
  printerOf,
  printJob,
} from './ipp.ts';
import type { PrinterPlace } from './state.ts';
import { deviceIdOfIpp, readyStatus, statusOfIpp } from './translate.ts';

export type IppPlace = Extract<PrinterPlace, { kind: 'ipp' }>;

const ippPort = 631;
const pieceBytes = 128 * 1024;
const statusEveryMs = 3000;
const settleMs = 2000;
const requestMs = 10_000;
/** A printer may think about a job, or be stopped in the middle of one, for long. */
const jobMs = 600_000;
const maxAnswerBytes = 1 << 20;

/** A job on its way. `outcome` is undefined as long as the printer has not answered. */
interface Job {
  readonly first: number;
  readonly end: number;
  readonly request: ClientRequest;
  received: number;
  outcome: IppAnswer | { readonly error: unknown } | undefined;
  readonly done: Promise<void>;
}

export class IppDriver implements PrinterDriver {
  readonly wholeJobs = true;
  readonly pieceBytes = pieceBytes;
  readonly #place: IppPlace;
  readonly #patienceMs: number;
  /** First byte of a job that perhaps reached the printer although nobody heard so; true: any job, of those before us. */
  #unsure: number | true | undefined = true;
  /** Loaded only where there is such a printer: it is a third of what a ghost would load, and a ghost is in a hurry. */
  readonly #http = process.getBuiltinModule('node:http');
  readonly #agent = new this.#http.Agent({ keepAlive: true, maxSockets: 2 });
  #lastRequest = 0;
  #job: Job | undefined;
  #printer: { readonly value: IppPrinter; readonly at: number } | undefined;

  constructor(place: IppPlace, patienceMs: number) {
    this.#place = place;
    this.#patienceMs = patienceMs;
  }

  async print(piece: Piece, signal: AbortSignal): Promise<PrintAnswer> {
    const { first, data, jobEnd } = piece;
    if (this.#job && this.#job.first !== piece.delivered) this.#drop();
    // One in the middle of a job may have no ear for anything else.
    if (this.#job) void this.#askPrinter().catch(() => {});
    else await this.#askPrinter();
    if (!this.#job && data.length > 0 && jobEnd !== undefined) {
      if (first !== piece.delivered) return this.#answer(piece.delivered, piece.delivered);
      if (await this.#hasIt(first)) return this.#answer(jobEnd, jobEnd);
      this.#job = this.#begin(first, jobEnd);
    }
    const job = this.#job;
    if (!job) return this.#answer(piece.delivered, piece.delivered);
    if (!job.outcome && job.received < job.end && first === job.received) await this.#give(job, data);
    if (job.received === job.end)
      await Promise.race([job.done, sleep(this.#patienceMs, undefined, { signal }).catch(() => {})]);
    return this.#after(job);
  }

  async settle(delivered: number): Promise<number | undefined> {
    const job = this.#job;
    if (!job) return delivered;
    if (job.received === job.end) await Promise.race([job.done, sleep(settleMs)]);
    const { outcome } = job;
    this.#drop();
    if (job.received === job.end && !outcome) return undefined;
    return isPrinted(outcome) ? job.end : job.first;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#drop();
    this.#agent.destroy();
  }

  /** @throws what went wrong with the job; it must be given again */
  #after(job: Job): PrintAnswer {
    if (!job.outcome) return this.#answer(job.first, job.received);
    this.#job = undefined;
    if ('error' in job.outcome) throw job.outcome.error;
    if (isPrinted(job.outcome)) return this.#answer(job.end, job.end);
    const reason = `the printer refuses a job of ${job.end - job.first} bytes: ${hex(job.outcome.status)}`;
    if (!isFinal(job.outcome.status)) throw new Error(reason);
    return { ...this.#answer(job.end, job.end), note: `${reason}. It is thrown away` };
  }

  #answer(delivered: number, received: number): PrintAnswer {
    const printer = this.#printer?.value;
    return {
      delivered,
      received,
      status: printer ? statusOfIpp(printer) : readyStatus,
      ...(printer && { typeName: `IPP printer ${printer.name}`, deviceId: deviceIdOfIpp(printer) }),
    };
  }

  #drop(): void {
    const job = this.#job;
    this.#job = undefined;
    if (!job) return;
    if (job.received === job.end && !isPrinted(job.outcome)) this.#unsure = job.first;
    job.request.destroy();
  }

  #jobName(first: number): string {
    return `${this.#place.jobs}-${first}`;
  }

  /** Asks only where a former sending of this very job may have reached the printer. */
  async #hasIt(first: number): Promise<boolean> {
    if (this.#unsure !== first && this.#unsure !== true) return false;
    let found = false;
    for (const which of ['not-completed', 'completed'] as const) {
      const answer = await this.#ask(ippOperations.getJobs, askJobs(which));
      found ||= hasJob(answer, this.#jobName(first));
    }
    this.#unsure = undefined;
    return found;
  }

  #begin(first: number, end: number): Job {
    const message = this.#message(ippOperations.printJob, printJob(this.#jobName(first)));
    const { promise, resolve, reject } = Promise.withResolvers<IppAnswer>();
    const request = this.#post(message.length + end - first, jobMs, resolve, reject);
    request.write(message);
    const job: Job = {
      first,
      end,
      request,
      received: first,
      outcome: undefined,
      done: promise.then(
        answer => {
          job.outcome = answer;
        },
        (error: unknown) => {
          if (job.received === job.end) this.#unsure = job.first;
          job.outcome = { error };
        },
      ),
    };
    return job;
  }

  async #give(job: Job, data: Uint8Array): Promise<void> {
    const bytes = data.subarray(0, job.end - job.received);
    const room = job.request.write(bytes);
    job.received += bytes.length;
    if (job.received === job.end) job.request.end();
    else if (!room && !job.outcome) {
      const drained = new Promise<void>(resolve => job.request.once('drain', resolve));
      await Promise.race([drained, job.done]);
    }
  }

  async #askPrinter(): Promise<void> {
    const now = performance.now();
    if (this.#printer && now < this.#printer.at + statusEveryMs) return;
    const answer = await this.#ask(ippOperations.getPrinterAttributes, askPrinter);
    if (answer.status > lastGoodStatus)
      throw new Error(`the printer does not say how it is: ${hex(answer.status)}`);
    this.#printer = { value: printerOf(answer), at: now };
  }

  #ask(operation: number, attributes: readonly IppAttribute[]): Promise<IppAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<IppAnswer>();
    const message = this.#message(operation, attributes);
    this.#post(message.length, requestMs, resolve, reject).end(message);
    return promise;
  }

  #message(operation: number, attributes: readonly IppAttribute[]): Buffer {
    return encodeIppRequest(operation, ++this.#lastRequest, this.#place.uri, attributes);
  }

  #post(
    length: number,
    timeoutMs: number,
    resolve: (answer: IppAnswer) => void,
    reject: (error: unknown) => void,
  ): ClientRequest {
    const { hostname, port, pathname } = new URL(this.#place.uri);
    const request = this.#http.request({
      agent: this.#agent,
      method: 'POST',
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port || ippPort,
      path: pathname,
      headers: { 'Content-Type': 'application/ipp', 'Content-Length': length },
      timeout: timeoutMs,
    });
    request.on('timeout', () => request.destroy(new Error(`${this.#place.uri} does not answer`)));
    request.on('error', reject);
    request.on('response', response => void bodyOf(response).then(decodeIppAnswer).then(resolve, reject));
    return request;
  }
}

async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > maxAnswerBytes) throw new Error('the printer answers without end');
    parts.push(part);
  }
  if (response.statusCode !== 200)
    throw new Error(`the printer answers with HTTP status ${response.statusCode}`);
  return Buffer.concat(parts);
}

const isPrinted = (outcome: Job['outcome']): boolean =>
  outcome !== undefined && 'status' in outcome && outcome.status <= lastGoodStatus;

/** Client errors (RFC 8011, appendix B) that the same job gets again: its format, its length, what it asks for. */
const isFinal = (status: number): boolean =>
  [0x0400, 0x0408, 0x0409, 0x040a, 0x040b, 0x0411].includes(status);

const hex = (status: number): string => `IPP status 0x${status.toString(16).padStart(4, '0')}`;
