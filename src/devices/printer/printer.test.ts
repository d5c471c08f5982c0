// Bytes for a printer: kept until they are printed, printed once, in order, whatever is sent twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PrintAnswer, PrinterDriver } from './driver.ts';
import { PrinterService } from './serve.ts';
import { Spool } from './spool.ts';
import { answerIoctl } from './stub.ts';
import { printerStatus, readyStatus, statusWords } from './translate.ts';

test('the spool gives back every byte once and in order, whatever the pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 50 }), fc.nat(60))), pieces => {
      const spool = new Spool(100);
      const accepted: number[] = [];
      const printed: number[] = [];
      for (const [data, most] of pieces) {
        accepted.push(...data.subarray(0, spool.push(data)));
        const piece = spool.peek(most);
        printed.push(...piece);
        spool.delivered(spool.firstByte + piece.length);
        assert.ok(spool.size <= 100);
      }
      printed.push(...spool.peek(1000));
      assert.deepEqual(printed, accepted);
      assert.equal(spool.end, accepted.length);
    }),
  );
});

test('a full spool takes nothing, unless nobody may be left waiting', () => {
  const spool = new Spool(4);
  assert.equal(spool.push(Buffer.from('abcdef')), 4);
  assert.equal(spool.push(Buffer.from('x')), 0);
  assert.equal(spool.hasRoom, false);
  spool.bottomless = true;
  assert.equal(spool.push(Buffer.from('efgh')), 4);
  assert.equal(Buffer.from(spool.peek(100)).toString(), 'abcdefgh');
  spool.delivered(2);
  spool.delivered(1); // old news
  assert.equal(Buffer.from(spool.peek(3)).toString(), 'cde');
});

/** Takes at most `most` bytes a time. */
class FakePrinter implements PrinterDriver {
  readonly printed: Buffer[] = [];
  most = 1000;
  async print(first: number, data: Uint8Array): Promise<PrintAnswer> {
    const taken = data.subarray(0, this.most);
    await new Promise(resolve => setImmediate(resolve));
    this.printed.push(Buffer.from(taken));
    return { delivered: first + taken.length, status: readyStatus };
  }
  get text(): string {
    return Buffer.concat(this.printed).toString();
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

test('bytes that come again, because their answer was lost, are printed once', async () => {
  const paper = new FakePrinter();
  const service = new PrinterService(paper);
  assert.equal((await service.print(10, Buffer.from('abc'))).delivered, 13);
  assert.equal((await service.print(10, Buffer.from('abcdef'))).delivered, 16);
  assert.equal((await service.print(10, Buffer.from('ab'))).delivered, 16);
  paper.most = 2;
  assert.equal((await service.print(16, Buffer.from('ghij'))).delivered, 18);
  assert.equal((await service.print(18, Buffer.from('ij'))).delivered, 20);
  assert.equal(paper.text, 'abcdefghij');
});

test('requests at once are printed one after the other', async () => {
  const paper = new FakePrinter();
  const service = new PrinterService(paper);
  await Promise.all([service.print(0, Buffer.from('abc')), service.print(0, Buffer.from('abc'))]);
  await service.stop();
  assert.equal(paper.text, 'abc');
});

test('programs get what a printer port answers', () => {
  const face = { status: () => readyStatus, deviceId: 'MFG:Crab;' };
  assert.deepEqual(answerIoctl(0x060b, face), Buffer.from([0x18, 0, 0, 0]));
  assert.deepEqual(answerIoctl(0x8400_5001, face), Buffer.from('\0\x0bMFG:Crab;'));
  assert.deepEqual(answerIoctl(0x8005_5001, face), Buffer.from('\0\x0bMFG'));
  assert.equal(answerIoctl(0xffff_ffff, face), undefined);
  assert.equal(statusWords(printerStatus(0xdf)), 'ready');
  assert.equal(statusWords(printerStatus(0x38)), 'out of paper');
  assert.equal(statusWords(0), 'off line');
});
