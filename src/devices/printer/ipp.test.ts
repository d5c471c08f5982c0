// IPP messages: exact bytes, and anything else is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FormatError } from '#linux/system-error.ts';
import { askJobs, decodeIppAnswer, encodeIppRequest, hasJob, printerOf } from './ipp.ts';

test('a request, byte by byte', () => {
  const bytes = encodeIppRequest(0x000b, 5, 'ipp://p/', [['limit', 'integer', 7]]);
  const attribute = (tag: string, name: string, value: string): string =>
    `${tag}00${name.length.toString(16).padStart(2, '0')}${Buffer.from(name).toString('hex')}00${value.length.toString(16).padStart(2, '0')}${Buffer.from(value).toString('hex')}`;
  assert.equal(
    bytes.toString('hex'),
    [
      '0200000b00000005', // version 2.0, operation, number
      '01',
      attribute('47', 'attributes-charset', 'utf-8'),
      attribute('48', 'attributes-natural-language', 'en'),
      attribute('45', 'printer-uri', 'ipp://p/'),
      attribute('42', 'requesting-user-name', 'yadokari'),
      attribute('21', 'limit', '\0\0\0\x07'),
      '03',
    ].join(''),
  );
});

test('what was asked can be read again', () => {
  const { requestId, groups } = decodeIppAnswer(
    encodeIppRequest(0x000a, 9, 'ipp://p/', askJobs('completed')),
  );
  assert.equal(requestId, 9);
  assert.deepEqual(groups[0]?.attributes.get('requested-attributes'), ['job-name', 'job-state']);
  assert.deepEqual(groups[0]?.attributes.get('limit'), [100]);
});

test('a job is known by its name, unless it failed', () => {
  const job = (name: string, state: number) => ({
    tag: 2,
    attributes: new Map([
      ['job-name', [name]],
      ['job-state', [state]],
    ] as [string, (string | number)[]][]),
  });
  const answer = { status: 0, requestId: 1, groups: [job('a-1', 9), job('a-2', 8), job('a-3', 5)] };
  assert.deepEqual(
    ['a-1', 'a-2', 'a-3', 'a-4'].map(name => hasJob(answer, name)),
    [true, false, true, false],
  );
});

test('any bytes give an answer or a FormatError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), bytes => {
      try {
        printerOf(decodeIppAnswer(Buffer.from(bytes)));
      } catch (error) {
        assert.ok(error instanceof FormatError, String(error));
      }
    }),
  );
});

test('an attribute of very many values does not hold up everything else', () => {
  const values = Array.from({ length: 200_000 }, () => Buffer.of(0x44, 0, 0, 0, 0));
  const answer = Buffer.concat([Buffer.of(2, 0, 0, 0, 0, 0, 0, 1, 4), ...values, Buffer.of(3)]);
  const before = process.cpuUsage();
  assert.equal(decodeIppAnswer(answer).groups[0]?.attributes.get('')?.length, values.length);
  assert.ok(process.cpuUsage(before).user < 10e6); // it took minutes when every value copied those before it
});
