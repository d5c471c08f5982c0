// The IPP driver against a small printer of our own: whole jobs, once, whatever breaks on the way.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Piece, PrintAnswer } from './driver.ts';
import { decodeIppAnswer, ippOperations } from './ipp.ts';
import { IppDriver } from './ipp-driver.ts';
import { statusWords } from './translate.ts';

interface JobSeen {
  readonly name: string;
  readonly document: string;
}

/** Speaks just enough IPP. What it is told to do wrong happens once. */
class FakeIppPrinter implements AsyncDisposable {
  readonly jobs: JobSeen[] = [];
  reasons = ['none'];
  wrong: 'answer lost' | 'busy' | 'refused' | 'slow' | undefined;
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  async start(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    return `ipp://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ipp/print`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
    const body = Buffer.concat(parts);
    const operation = body.readUInt16BE(2);
    const wrong = operation === ippOperations.printJob ? this.wrong : undefined;
    if (wrong) this.wrong = undefined;
    if (wrong === 'busy') return this.#answer(response, 0x0507, Buffer.alloc(0));
    if (wrong === 'refused') return this.#answer(response, 0x040a, Buffer.alloc(0));
    if (operation === ippOperations.printJob) {
      const attributes = decodeIppAnswer(body).groups[0]!.attributes;
      const end =
        body.indexOf(Buffer.from('application/octet-stream\x03')) + 'application/octet-stream\x03'.length;
      this.jobs.push({
        name: String(attributes.get('job-name')?.[0]),
        document: body.subarray(end).toString(),
      });
    }
    if (wrong === 'answer lost') return void response.destroy();
    if (wrong === 'slow') await new Promise(resolve => setTimeout(resolve, 300));
    const groups: Readonly<Record<number, () => Buffer>> = {
      [ippOperations.printJob]: () => Buffer.alloc(0),
      [ippOperations.getJobs]: () =>
        Buffer.concat(
          this.jobs.flatMap(({ name }) => [Buffer.of(2), text(0x42, 'job-name', name), state(9)]),
        ),
      [ippOperations.getPrinterAttributes]: () =>
        Buffer.concat([
          Buffer.of(4),
          text(0x42, 'printer-name', 'Fake'),
          text(0x41, 'printer-make-and-model', 'Crab Laser'),
          ...this.reasons.map((reason, index) => text(0x44, index ? '' : 'printer-state-reasons', reason)),
        ]),
    };
    this.#answer(response, 0, groups[operation]!());
  }

  #answer(response: ServerResponse, status: number, groups: Buffer): void {
    const head = Buffer.from([2, 0, status >> 8, status & 0xff, 0, 0, 0, 1]);
    response.end(Buffer.concat([head, groups, Buffer.of(3)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}

function text(tag: number, name: string, value: string): Buffer {
  const head = Buffer.from([tag, 0, name.length]);
  return Buffer.concat([head, Buffer.from(name), Buffer.from([0, value.length]), Buffer.from(value)]);
}
const state = (value: number): Buffer =>
  Buffer.concat([Buffer.from([0x23, 0, 9]), Buffer.from('job-state'), Buffer.from([0, 4, 0, 0, 0, value])]);

const { signal } = new AbortController();
const document = 'a page\n'.repeat(50_000);

/** Gives a whole job as a delivery does, with its errors. */
async function give(driver: IppDriver, first: number, job: string, tries = 1): Promise<PrintAnswer> {
  const jobEnd = first + job.length;
  for (let next = first; ; ) {
    const data = Buffer.from(job.slice(next - first, next - first + driver.pieceBytes));
    const piece: Piece = { first: next, data, delivered: first, jobEnd };
    try {
      const answer = await driver.print(piece, signal);
      if (answer.delivered === jobEnd) return answer;
      next = answer.received;
    } catch (error) {
      if (--tries === 0) throw error;
      next = first;
    }
  }
}

async function withDriver(
  body: (printer: FakeIppPrinter, driver: IppDriver) => Promise<void>,
): Promise<void> {
  await using printer = new FakeIppPrinter();
  await using driver = new IppDriver({ kind: 'ipp', uri: await printer.start(), jobs: 'yado-x' }, 100);
  await body(printer, driver);
}

test('a job is one document, and the printer tells its name', () =>
  withDriver(async (printer, driver) => {
    const answer = await give(driver, 7, document);
    assert.equal(answer.typeName, 'IPP printer Fake');
    assert.equal(answer.deviceId, 'MFG:Crab;MDL:Laser;CLS:PRINTER;');
    await give(driver, 7 + document.length, 'second');
    assert.deepEqual(
      printer.jobs.map(each => [each.name, each.document.length]),
      [
        ['yado-x-7', document.length],
        [`yado-x-${7 + document.length}`, 6],
      ],
    );
    assert.equal(printer.jobs[0]!.document, document);
  }));

test('a job whose answer was lost is not printed again', () =>
  withDriver(async (printer, driver) => {
    printer.wrong = 'answer lost';
    await give(driver, 0, document, 3);
    assert.equal(printer.jobs.length, 1);
  }));

test('nor by the driver that comes after one that was ended in the middle', async () => {
  await using printer = new FakeIppPrinter();
  const place = { kind: 'ipp', uri: await printer.start(), jobs: 'yado-x' } as const;
  const former = new IppDriver(place, 10);
  printer.wrong = 'slow';
  const pending = await former.print(
    { first: 0, data: Buffer.from('short'), delivered: 0, jobEnd: 5 },
    signal,
  );
  assert.deepEqual([pending.delivered, pending.received], [0, 5]);
  await former[Symbol.asyncDispose]();
  await using driver = new IppDriver(place, 100);
  await new Promise(resolve => setTimeout(resolve, 100));
  assert.equal((await give(driver, 0, 'short')).delivered, 5);
  assert.equal(printer.jobs.length, 1);
});

test('a move waits for the answer to a job that is with the printer', () =>
  withDriver(async (printer, driver) => {
    printer.wrong = 'slow';
    await driver.print({ first: 0, data: Buffer.from('short'), delivered: 0, jobEnd: 5 }, signal);
    assert.equal(await driver.settle(0), 5);
    assert.equal(printer.jobs.length, 1);
  }));

test('a busy printer is asked again; one that refuses a job for good holds up no other', () =>
  withDriver(async (printer, driver) => {
    printer.wrong = 'busy';
    await assert.rejects(give(driver, 0, 'one'), /0x0507/);
    assert.equal((await give(driver, 0, 'one')).note, undefined);
    printer.wrong = 'refused';
    assert.match((await give(driver, 3, 'two')).note ?? '', /refuses a job of 3 bytes: IPP status 0x040a/);
    assert.deepEqual(
      printer.jobs.map(each => each.document),
      ['one'],
    );
  }));

test('out of paper; then the printer is gone', async () => {
  const printer = new FakeIppPrinter();
  await using driver = new IppDriver({ kind: 'ipp', uri: await printer.start(), jobs: 'yado-x' }, 100);
  printer.reasons = ['media-low-warning', 'media-empty-error'];
  const nothing: Piece = { first: 0, data: Buffer.alloc(0), delivered: 0 };
  assert.equal(statusWords((await driver.print(nothing, signal)).status), 'out of paper');
  await printer[Symbol.asyncDispose]();
  await assert.rejects(give(driver, 0, 'lost'));
});
