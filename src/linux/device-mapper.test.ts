// Device-mapper buffers byte by byte, and answers from a kernel that cannot be trusted to be sane.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { SIZE } from '#linux/abi.ts';
import {
  type DmTarget,
  decodeDeps,
  decodeDevice,
  decodeDeviceNumber,
  decodeMirrorStatus,
  decodeTargets,
  encodeCreate,
  encodeRemove,
  encodeResume,
  encodeSuspend,
  encodeTableLoad,
  encodeTableStatus,
  errorTarget,
  linearTarget,
  mirrorTarget,
} from '#linux/device-mapper.ts';
import { DmControl } from '#linux/dm-control.ts';
import { FormatError } from '#linux/system-error.ts';

const HEADER = SIZE['struct dm_ioctl'];
const flagsOf = (buffer: Uint8Array) => Buffer.from(buffer).readUInt32LE(28);

test('suspend and resume are one ioctl that differs by its flags', () => {
  const frozen = encodeSuspend('root', { noFlush: true, skipLockFs: true });
  assert.equal(frozen.request, 0xc138fd06);
  assert.equal(frozen.buffer.length, 312);
  assert.equal(flagsOf(frozen.buffer), 0x2 | 0x400 | 0x800);
  assert.equal(flagsOf(encodeSuspend('root').buffer), 0x2);
  const resume = encodeResume('root');
  assert.equal(resume.request, 0xc138fd06);
  assert.equal(flagsOf(resume.buffer), 0);
  assert.equal(decodeDevice(resume.buffer).name, 'root');
});

test('a table of two targets, byte by byte', () => {
  const { request, buffer } = encodeTableLoad('root', [linearTarget('8:1', 2048, 63), errorTarget(8)]);
  assert.equal(request, 0xc138fd09);
  const bytes = Buffer.from(buffer);
  assert.deepEqual(
    [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)],
    [4, 0, 0],
    'version',
  );
  assert.equal(bytes.readUInt32LE(12), buffer.length, 'data_size');
  assert.equal(bytes.readUInt32LE(16), HEADER, 'data_start');
  assert.equal(bytes.readUInt32LE(20), 2, 'target_count');
  assert.equal(
    bytes.subarray(HEADER).toString('hex'),
    [
      '0000000000000000', // start 0
      '0008000000000000', // 2048 sectors
      '00000000', // status
      '30000000', // next spec 48 bytes from the start of this one
      '6c696e65617200000000000000000000', // "linear"
      '383a3120363300' + '00', // "8:1 63", NUL, padding
      '0000000000000000',
      '0800000000000000',
      '00000000',
      '30000000',
      '6572726f720000000000000000000000', // "error"
      '0000000000000000', // no parameters, padding
    ].join(''),
  );
});

test('names that the kernel would cut or misread are refused', () => {
  assert.throws(() => encodeCreate('x'.repeat(128)), FormatError);
  assert.throws(() => encodeRemove('a/b'), FormatError);
  assert.throws(() => encodeTableLoad('a', [{ ...errorTarget(1), type: 'linear\0' }]), FormatError);
});

test('a mirror says which disk is read, and where each part of it begins', () => {
  const legs = [
    { device: '43:0', offsetSector: 32_768 },
    { device: '254:17', offsetSector: 32_768 },
  ] as const;
  assert.deepEqual(mirrorTarget(32_768, 2048, legs, 1024, false), {
    startSector: 32_768,
    sectorCount: 2048,
    type: 'mirror',
    parameters: 'core 2 1024 sync 2 43:0 32768 254:17 32768 1 handle_errors',
  });
  assert.match(mirrorTarget(0, 2048, legs, 1024, true).parameters, /^core 2 1024 nosync 2 /);
});

test('how far a mirror is, and whether both disks are well', () => {
  assert.deepEqual(decodeMirrorStatus('2 43:0 254:17 3/4 1 AA 1 core '), {
    equalRegions: 3,
    regions: 4,
    isWell: [true, true],
  });
  assert.deepEqual(decodeMirrorStatus('2 43:0 254:17 4/4 1 AD 1 core').isWell, [true, false]);
  for (const text of ['', '3 1:0 2:0 3:0 4/4 1 AAA 1 core', '2 43:0 254:17 4/4 1 A'])
    assert.throws(() => decodeMirrorStatus(text), FormatError);
});

test('device numbers', () => {
  assert.deepEqual(decodeDeviceNumber(0xfd03n), { major: 253, minor: 3 });
  // minor 0x12345: its upper bits lie above the major number
  assert.deepEqual(decodeDeviceNumber(0x1230_fd45n), { major: 253, minor: 0x12345 });
});

// The kernel's retrieve_status(): `next` counts from the first spec.
function answerOf(targets: readonly DmTarget[]): Uint8Array {
  const { buffer } = encodeTableLoad('root', targets);
  const bytes = Buffer.from(buffer);
  for (let at = HEADER, i = 0; i < targets.length; i++) {
    const own = bytes.readUInt32LE(at + 20);
    bytes.writeUInt32LE(at + own - HEADER, at + 20);
    at += own;
  }
  return bytes;
}

test('tables come back from a status answer', () => {
  const target = fc.record(
    {
      startSector: fc.nat(),
      sectorCount: fc.nat(),
      type: fc.constantFrom('linear', 'mirror', 'error'),
      parameters: fc.string({ maxLength: 60 }).filter(text => !text.includes('\0')),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(target, { maxLength: 8 }), targets => {
      assert.deepEqual(decodeTargets(answerOf(targets)), targets);
    }),
  );
});

test('any bytes give a value or a FormatError, without hanging', () => {
  const header = Buffer.from(encodeTableStatus('x', 'table', 200).buffer);
  const answers = fc
    .tuple(fc.nat(400), fc.uint8Array({ minLength: 200, maxLength: 200 }))
    .map(([count, data]) => {
      const bytes = Buffer.from(header);
      bytes.writeUInt32LE(count, 20);
      bytes.set(
        data.map((byte, i) => (i % 8 > 1 ? 0 : byte)),
        HEADER,
      );
      return bytes;
    });
  const anything = fc.oneof(answers, fc.uint8Array({ maxLength: 600 }));
  fc.assert(
    fc.property(anything, fc.constantFrom(decodeTargets, decodeDeps, decodeDevice), (input, decode) => {
      try {
        decode(input);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

const skip =
  existsSync('/sys/class/misc/device-mapper') && process.getuid?.() === 0
    ? false
    : 'this kernel has no device-mapper';
test('a device lives through create, load, resume, suspend and remove', { skip }, () => {
  using control = new DmControl();
  assert.equal(control.version()[0], 4);
  const name = `yado-test-${process.pid}`;
  assert.equal(control.create(name).hasLiveTable, false);
  try {
    control.loadTable(name, [errorTarget(2048)]);
    control.resume(name);
    assert.deepEqual(control.table(name), [errorTarget(2048)]);
    control.suspend(name, { noFlush: true, skipLockFs: true });
    assert.equal(control.device(name).suspended, true);
    assert.deepEqual(control.deps(name), []);
    control.resume(name);
  } finally {
    control.remove(name);
  }
  assert.throws(() => control.device(name), { code: 'ENXIO' });
});
