// Bytes for a printer: kept until they are printed, printed once, in order, whatever is sent twice and whoever is killed.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { YadoError } from '#core/errors.ts';
import { Delivery, type Listener } from './delivery.ts';
import type { Piece, PrintAnswer, PrinterDriver } from './driver.ts';
import { PrinterService } from './serve.ts';
import { Spool } from './spool.ts';
import { answerIoctl, jobsInto } from './stub.ts';
import { deviceIdOfIpp, printerStatus, readyStatus, statusOfIpp, statusWords } from './translate.ts';

const { EBUSY, EFBIG } = constants.errno;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function folderFor(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'yado-spool-'));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('the spool gives back every byte once and in order, also to the agent after one that was killed', t => {
  const root = folderFor(t);
  let run = 0;
  const step = fc.tuple(fc.uint8Array({ maxLength: 50 }), fc.nat(60), fc.boolean());
  fc.assert(
    fc.property(fc.array(step), steps => {
      const folder = join(root, String(++run));
      let spool = new Spool(folder, 100);
      const accepted: number[] = [];
      const printed: number[] = [];
      for (const [data, most, killed] of steps) {
        accepted.push(...data.subarray(0, spool.push(data)));
        const piece = spool.peek(spool.firstByte, most);
        printed.push(...piece);
        spool.sending(spool.firstByte + piece.length);
        spool.delivered(spool.firstByte + piece.length);
        assert.ok(spool.size <= 100);
        if (killed) spool = new Spool(folder, 100); // nothing was closed
      }
      printed.push(...spool.peek(spool.firstByte, 1000));
      assert.deepEqual(printed, accepted);
      assert.equal(spool.end, accepted.length);
      spool[Symbol.dispose]();
    }),
    { numRuns: 50 },
  );
});

test('a full spool takes nothing, unless nobody may be left waiting', t => {
  using spool = new Spool(folderFor(t), 4);
  assert.equal(spool.push(Buffer.from('abcdef')), 4);
  assert.equal(spool.push(Buffer.from('x')), 0);
  assert.equal(spool.hasRoom, false);
  spool.bottomless = true;
  assert.equal(spool.push(Buffer.from('efgh')), 4);
  assert.equal(text(spool.peek(0, 100)), 'abcdefgh');
  spool.delivered(2);
  spool.delivered(1); // old news
  assert.equal(text(spool.peek(2, 3)), 'cde');
});

test('what was printed takes no memory any more', t => {
  const folder = folderFor(t);
  using spool = new Spool(folder, 16 << 20);
  for (let count = 0; count < 40; count++) spool.push(Buffer.alloc(100_000, count));
  assert.equal(spool.peek(3_950_000, 10)[0], 39);
  spool.delivered(3_500_000);
  const kept = (): number =>
    readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  assert.ok(kept() < 2 << 20);
  spool.delivered(4_000_000);
  assert.ok(kept() < 100);
  assert.equal(spool.end, 4_000_000);
});

test('a job goes from open to the last close, for one program at a time', t => {
  const folder = folderFor(t);
  const spool = new Spool(folder, 10);
  const stub = jobsInto(spool, true);
  assert.equal(stub.open(), 0);
  assert.equal(stub.open(), -EBUSY);
  assert.equal(stub.write(Buffer.from('abc')), 3);
  assert.equal(spool.endOfJob(0), undefined);
  stub.release();
  assert.equal(spool.endOfJob(0), 3);
  stub.open();
  stub.release(); // wrote nothing: no job
  assert.equal(spool.endOfJob(3), undefined);
  stub.open();
  assert.equal(stub.write(Buffer.from('defghijklm')), 7);
  assert.equal(stub.write(Buffer.from('k')), 0, 'room comes when the job before is printed');
  spool.delivered(3);
  assert.equal(stub.write(Buffer.from('klm')), 3);
  assert.equal(stub.write(Buffer.from('n')), -EFBIG, 'it would wait for itself');
  using after = new Spool(folder, 10);
  assert.equal(after.endOfJob(3), 13, 'the program lost the device with the agent');
});

/** Takes at most `most` bytes a time. */
class FakePrinter implements PrinterDriver {
  readonly wholeJobs = false;
  readonly pieceBytes = 10;
  readonly printed: Buffer[] = [];
  most = 1000;
  broken = false;
  async print({ first, data }: Piece): Promise<PrintAnswer> {
    const taken = data.subarray(0, this.most);
    await new Promise(resolve => setImmediate(resolve));
    if (this.broken) throw new Error('no ink');
    this.printed.push(Buffer.from(taken));
    return { delivered: first + taken.length, received: first + taken.length, status: readyStatus };
  }
  async settle(delivered: number): Promise<number> {
    return delivered;
  }
  get text(): string {
    return Buffer.concat(this.printed).toString();
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

const piece = (first: number, data: string, delivered = first): Piece => ({
  first,
  data: Buffer.from(data),
  delivered,
});

/** Asks until it has what it wants, as a delivery does. */
async function until(service: PrinterService, delivered: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    if ((await service.print(piece(delivered, '', 0))).delivered === delivered) return;
    assert.ok(tries < 100, `${delivered} is never reached`);
  }
}

test('bytes that come again, because their answer was lost, are printed once', async () => {
  const paper = new FakePrinter();
  const service = new PrinterService(paper);
  assert.equal((await service.print(piece(10, 'abc'))).received, 13);
  assert.equal((await service.print(piece(10, 'abcdef', 10))).received, 16);
  assert.equal((await service.print(piece(10, 'ab'))).received, 16);
  paper.most = 2;
  assert.equal((await service.print(piece(16, 'ghij', 10))).received, 20);
  assert.equal((await service.print(piece(18, 'ij', 10))).received, 20);
  await until(service, 20);
  assert.equal(paper.text, 'abcdefghij');
  assert.equal((await service.hold()).delivered, 20);
  const standby = new PrinterService(paper, service.printed);
  await standby.print(piece(18, 'ijkl'));
  await until(standby, 22);
  assert.equal((await standby.print(piece(30, 'xyz', 20))).received, 22, 'what lies between is missing');
  assert.equal(paper.text, 'abcdefghijkl');
});

test('what was taken in advance is given back when the OS is about to move', async () => {
  const paper = new FakePrinter();
  const service = new PrinterService(paper);
  paper.most = 2;
  await service.print(piece(0, 'abcdef'));
  const { delivered, received } = await service.hold();
  assert.equal(delivered, received);
  assert.equal(paper.text, 'abcdef'.slice(0, delivered));
  assert.ok(delivered < 6);
  assert.equal((await service.print(piece(delivered, 'abcdef'.slice(delivered)))).received, 6);
  await until(service, 6);
  assert.equal(paper.text, 'abcdef');
});

test('requests at once are printed one after the other; an error is told to one who asks', async () => {
  const paper = new FakePrinter();
  const service = new PrinterService(paper);
  await Promise.all([service.print(piece(0, 'abc')), service.print(piece(0, 'abc'))]);
  await until(service, 3);
  paper.broken = true;
  await assert.rejects(service.print(piece(3, '')), /no ink/);
  paper.broken = false;
  assert.equal((await service.print(piece(3, 'd'))).received, 4);
  await service.stop();
  assert.equal(paper.text, 'abcd');
  await assert.rejects(service.print(piece(4, 'e')), /no longer/);
});

test('garbage for a printer: every request is answered or refused, and no byte is printed twice', async () => {
  const number = fc.oneof(fc.nat(30), fc.constantFrom(2 ** 32, Number.MAX_SAFE_INTEGER));
  const request = fc.record({
    first: number,
    delivered: number,
    data: fc.uint8Array({ maxLength: 20 }),
    jobEnd: fc.option(number, { nil: undefined }),
    hold: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 12 }), async requests => {
      const paper = new FakePrinter();
      const printedTo: number[] = [];
      const print = paper.print.bind(paper);
      paper.print = piece => {
        if (piece.data.length > 0) printedTo.push(piece.first, piece.first + piece.data.length);
        return print(piece);
      };
      const service = new PrinterService(paper);
      await Promise.all(
        requests.map(async ({ hold, jobEnd, ...piece }) => {
          const asked = hold
            ? service.hold()
            : service.print({ ...piece, ...(jobEnd !== undefined && { jobEnd }) });
          await asked.catch((error: unknown) => {
            assert.ok(error instanceof YadoError && error.code === 'badRequest', String(error));
          });
        }),
      );
      await service.stop();
      assert.deepEqual(
        printedTo,
        printedTo.toSorted((a, b) => a - b),
      );
    }),
    { numRuns: 100 },
  );
});

/** A way to the service on which every third answer is lost. */
class LossyWay extends FakePrinter {
  readonly #service: PrinterService;
  #asked = 0;
  constructor(service: PrinterService) {
    super();
    this.#service = service;
  }
  override async print(given: Piece): Promise<PrintAnswer> {
    const answer = await this.#service.print(given);
    if (++this.#asked % 3 === 0) throw new Error('lost');
    return answer;
  }
  override async settle(): Promise<number> {
    return (await this.#service.hold()).delivered;
  }
}

const silent: Listener = { answered: () => {}, away: () => {}, back: () => {} };

test('a delivery over a bad network, stopped and begun anew: every byte once and in order', async t => {
  using spool = new Spool(folderFor(t));
  const paper = new FakePrinter();
  paper.most = 7;
  const wanted = Array.from({ length: 60 }, (_, index) => `line ${index}\n`).join('');
  const local = new Delivery(spool, paper, silent, Promise.resolve());
  spool.push(Buffer.from(wanted.slice(0, 200)));
  await new Promise(resolve => setTimeout(resolve, 5));
  await local.stop();
  const remote = new Delivery(spool, new LossyWay(new PrinterService(paper)), silent, local.done);
  spool.push(Buffer.from(wanted.slice(200)));
  await new Promise(resolve => setTimeout(resolve, 2500));
  await remote.stop();
  const again = new Delivery(spool, paper, silent, remote.done);
  while (spool.size > 0) await new Promise(resolve => setTimeout(resolve, 5));
  await again.stop();
  assert.equal(paper.text, wanted);
});

test('a delivery whose printer does not return says so, and has ended when it does', async t => {
  using spool = new Spool(folderFor(t));
  const { promise, resolve } = Promise.withResolvers<void>();
  const paper = new FakePrinter();
  const print = paper.print.bind(paper);
  paper.print = async piece => {
    await promise;
    return print(piece);
  };
  spool.push(Buffer.from('abc'));
  const delivery = new Delivery(spool, paper, silent, Promise.resolve());
  await new Promise(setImmediate);
  assert.equal(await delivery.stop(10, 10), false);
  resolve();
  await delivery.done;
  assert.equal(await delivery.stop(), true);
  assert.equal(spool.size, 0);
});

test('a printer that claims bytes nobody wrote, then is away: nothing is thrown away, each reason told once', async t => {
  using spool = new Spool(folderFor(t));
  const paper = new FakePrinter();
  const print = paper.print.bind(paper);
  const wild: (PrintAnswer | Error)[] = [
    { delivered: 2 ** 53 - 1, received: 2 ** 53 - 1, status: 0 },
    { delivered: 0, received: 1000, status: 0xff },
    { delivered: 0, received: 1000, status: 0 },
    new Error('not plugged in'),
  ];
  paper.print = async piece => {
    const answer = wild.shift();
    if (answer instanceof Error) throw answer;
    return answer ?? print(piece);
  };
  const said: string[] = [];
  const listener: Listener = {
    answered: () => {},
    away: error => said.push(String(error)),
    back: () => said.push('back'),
  };
  spool.push(Buffer.from('abc'));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const delivery = new Delivery(spool, paper, listener, Promise.resolve());
  while (spool.size > 0) {
    t.mock.timers.tick(100);
    await new Promise(setImmediate);
  }
  t.mock.timers.reset();
  assert.equal(paper.text, 'abc');
  const claims = (count: number): string =>
    `Error: it says that it has ${count} bytes, but only 3 were written`;
  assert.deepEqual(said, [claims(2 ** 53 - 1), claims(1000), 'Error: not plugged in', 'back']);
  await delivery.stop();
});

test('programs get what a printer port answers', () => {
  const face = { status: () => readyStatus, deviceId: () => 'MFG:Crab;' };
  assert.deepEqual(answerIoctl(0x060b, face), Buffer.from([0x18, 0, 0, 0]));
  assert.deepEqual(answerIoctl(0x8400_5001, face), Buffer.from('\0\x0bMFG:Crab;'));
  assert.deepEqual(answerIoctl(0x8005_5001, face), Buffer.from('\0\x0bMFG'));
  assert.equal(answerIoctl(0xffff_ffff, face), undefined);
  const wordy = { ...face, deviceId: () => 'X'.repeat(70_000) };
  assert.equal(answerIoctl(0xbfff_5001, wordy)?.length, 1024, 'no more than a USB printer can tell');
  assert.equal(answerIoctl(0x8000_5001, wordy)?.length, 0);
  assert.equal(statusWords(printerStatus(0xdf)), 'ready');
  assert.equal(statusWords(printerStatus(0x38)), 'out of paper');
  assert.equal(statusWords(0), 'off line');
});

test('what an IPP printer says becomes the status of a port', () => {
  const idle = { name: 'x', model: 'Crab Laser 3', deviceId: '', state: 3, reasons: ['none'], accepts: true };
  const words = (change: Partial<typeof idle>): string => statusWords(statusOfIpp({ ...idle, ...change }));
  assert.equal(words({}), 'ready');
  assert.equal(words({ state: 4 }), 'ready');
  assert.equal(words({ state: 5, reasons: ['media-empty-error'] }), 'out of paper');
  assert.equal(words({ reasons: ['media-empty'] }), 'out of paper');
  assert.equal(words({ reasons: ['media-low-warning', 'media-empty-report'] }), 'ready');
  assert.equal(words({ reasons: ['offline-report', 'offline'] }), 'off line');
  assert.equal(words({ accepts: false }), 'off line');
  assert.equal(words({ state: 5, reasons: ['paused'] }), 'error');
  assert.equal(words({ reasons: ['cover-open-error'] }), 'error');
  assert.equal(deviceIdOfIpp(idle), 'MFG:Crab;MDL:Laser 3;CLS:PRINTER;');
  assert.equal(deviceIdOfIpp({ ...idle, model: '' }), 'MFG:Unknown;MDL:IPP printer;CLS:PRINTER;');
  assert.equal(deviceIdOfIpp({ ...idle, deviceId: 'MFG:A;' }), 'MFG:A;');
});
