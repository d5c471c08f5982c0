// The small parsers of /proc files: cmdline, cpuinfo (and the MADT), meminfo.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { kernelParameter, parseCmdline } from '#linux/cmdline.ts';
import { madtProcessors, parseCpuinfo } from '#linux/cpuinfo.ts';
import { parseMeminfo } from '#linux/meminfo.ts';
import { FormatError } from '#linux/system-error.ts';

test('the command line is split as the kernel splits it', () => {
  const parameters = parseCmdline(
    'BOOT_IMAGE=/vmlinuz root=/dev/mapper/root quiet memmap=192M!256M dyndbg="file a.c +p; x" "y=1 2" log-buf-len=1M log_buf_len=2M -- init=arg\n',
  );
  assert.equal(kernelParameter(parameters, 'root'), '/dev/mapper/root');
  assert.equal(kernelParameter(parameters, 'quiet'), '');
  assert.equal(kernelParameter(parameters, 'memmap'), '192M!256M');
  assert.equal(kernelParameter(parameters, 'dyndbg'), 'file a.c +p; x');
  assert.equal(kernelParameter(parameters, 'y'), '1 2');
  assert.equal(kernelParameter(parameters, 'log_buf_len'), '2M', 'the last of - and _ forms');
  assert.equal(kernelParameter(parameters, 'init'), undefined, 'after -- it is for init');
  fc.assert(fc.property(fc.string(), text => Array.isArray(parseCmdline(text))));
});

const cpu = (index: number, flags: string) => `processor\t: ${index}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 94
model name\t: Some CPU: with a colon
stepping\t: 3
apicid\t\t: ${index * 2}
flags\t\t: ${flags}
power management:

`;

test('processors are counted and their common flags taken', () => {
  assert.deepEqual(parseCpuinfo(cpu(0, 'fpu sse2 la57') + cpu(1, 'la57 fpu')), {
    vendor: 'GenuineIntel',
    modelName: 'Some CPU: with a colon',
    family: 6,
    model: 94,
    stepping: 3,
    count: 2,
    apicIds: [0, 2],
    flags: ['fpu', 'la57'],
    la57: true,
  });
  assert.throws(() => parseCpuinfo('Hardware : BCM2835\n'), FormatError);
});

test('processors the kernel did not start are known from the MADT', () => {
  const madt = Buffer.concat([
    Buffer.from('APIC'),
    Buffer.alloc(40), // rest of the table's header, local APIC address, flags
    Buffer.from('0008000001000000', 'hex'), // local APIC 0, enabled
    Buffer.from('0008010101000000', 'hex'), // local APIC 1, enabled
    Buffer.from('0008020200000000', 'hex'), // not enabled
    Buffer.from('010c00000000c0fe00000000', 'hex'), // I/O APIC
    Buffer.from('09100000010100000100000005000000', 'hex'), // local x2APIC 0x101, enabled
  ]);
  assert.deepEqual(madtProcessors(madt), [0, 1, 0x101]);
  const madtWith = (entries: Uint8Array) => Buffer.concat([Buffer.from('APIC'), Buffer.alloc(40), entries]);
  fc.assert(
    fc.property(fc.uint8Array(), bytes => {
      try {
        madtProcessors(madtWith(bytes));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
  );
});

test('memory figures are bytes', () => {
  const text = [
    'MemTotal',
    'MemFree',
    'MemAvailable',
    'Buffers',
    'Cached',
    'AnonPages',
    'SwapTotal',
    'SwapCached',
    'SwapFree',
  ]
    .map((name, i) => `${name}:        ${i + 1} kB`)
    .join('\n');
  assert.equal(parseMeminfo(`${text}\nHugePages_Total:       0\n`).free, 2048);
  assert.throws(() => parseMeminfo('MemTotal: 1 kB\n'), /MemFree/);
});
