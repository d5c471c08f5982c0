// Physical memory maps: page-exact, and only true System RAM.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { FixtureTree } from '#linux/fixture-tree.ts';
import {
  e820Checksum,
  parseDeviceRanges,
  parseIomem,
  parsePresentPages,
  readFirmwareMap,
  systemRamPages,
} from '#linux/memory-map.ts';
import { FormatError } from '#linux/system-error.ts';

const IOMEM = `00000000-00000fff : Reserved
00001000-0009fbff : System RAM
0009fc00-0009ffff : Reserved
000a0000-000bffff : PCI Bus 0000:00
00100001-0fffffff : System RAM
  01000000-02209987 : Kernel code
  03000000-0327c0ff : System RAM
10000000-1bffffff : Persistent Memory (legacy)
1c000000-1fffdfff : System RAM
20000000-2fffffff : System RAM (kmem)
fec00000-fec003ff : IOAPIC 0
100000000-13fffffff : System RAM
`;

test('only whole pages of System RAM count', () => {
  assert.deepEqual(systemRamPages(parseIomem(IOMEM)), [
    { startPfn: 1, endPfn: 0x9f }, // the page at 9f000 is cut by a reserved region
    { startPfn: 0x101, endPfn: 0x10000 }, // starts one byte into page 0x100
    { startPfn: 0x1c000, endPfn: 0x1fffe },
    { startPfn: 0x100000, endPfn: 0x140000 },
  ]);
});

test('where hardware answers: cards, the windows of the root, the chipset; pages rounded outwards', () => {
  const text = `${IOMEM}40000000-febfffff : PCI Bus 0000:00
  40000000-401fffff : PCI Bus 0000:01
    40000000-400007ff : 0000:01:00.0
      40000000-400007ff : ahci
  febd0000-febd0fff : 0000:00:05.0
fed00000-fed003ff : HPET 0
  fed00000-fed003ff : PNP0103:00
fee00000-fee00fff : Local APIC
not a line
`;
  assert.deepEqual(
    parseDeviceRanges(text).map(({ name, startPfn, endPfn }) => [name, startPfn, endPfn]),
    [
      ['PCI Bus 0000:00', 0xa0, 0xc0],
      ['IOAPIC 0', 0xfec00, 0xfec01],
      ['PCI Bus 0000:00', 0x40000, 0xfec00],
      ['0000:01:00.0', 0x40000, 0x40001],
      ['0000:00:05.0', 0xfebd0, 0xfebd1],
      ['HPET 0', 0xfed00, 0xfed01],
      ['Local APIC', 0xfee00, 0xfee01],
    ],
  );
  fc.assert(fc.property(fc.string(), any => Array.isArray(parseDeviceRanges(any))));
});

test('where something is reserved (memmap=1G$1G), cards get no place', () => {
  const window = '40000000-febfffff : PCI Bus 0000:00\n';
  const inside = `${window}  40000000-7fffffff : Reserved\n`;
  const whole = { name: 'PCI Bus 0000:00', startPfn: 0x40000, endPfn: 0xfec00 };
  assert.deepEqual(parseDeviceRanges(window), [whole]);
  assert.deepEqual(parseDeviceRanges(inside), [{ ...whole, startPfn: 0x80000 }]);
});

test('RAM that is cut in the middle of a page is whole, as after kexec', () => {
  const cut = `00001000-0009921f : System RAM
00099220-0009922f : System RAM
00099230-0009fbff : System RAM
0009fc00-0009ffff : Reserved
`;
  assert.deepEqual(systemRamPages(parseIomem(cut)), [{ startPfn: 1, endPfn: 0x9f }]);
});

test('hidden addresses and nonsense are errors, not an empty memory', () => {
  assert.throws(
    () => parseIomem('00000000-00000000 : Reserved\n00000000-00000000 : System RAM\n'),
    /needs root/,
  );
  assert.throws(() => parseIomem('hello\n'), FormatError);
  fc.assert(
    fc.property(fc.string(), text => {
      try {
        systemRamPages(parseIomem(text));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
  );
});

test('present pages are summed over zones', () => {
  const zoneinfo = `Node 0, zone      DMA
  pages free     2807
        spanned  4095
        present  3998
        managed  3840
Node 0, zone    DMA32
        present  520160
`;
  assert.equal(parsePresentPages(zoneinfo), 3998 + 520160);
  assert.throws(() => parsePresentPages(''), FormatError);
});

test('the checksum covers count and packed entries, in numeric order of the entries', () => {
  const entry = (i: number, start: string, end: string, type: string) => ({
    [`sys/firmware/memmap/${i}/start`]: `${start}\n`,
    [`sys/firmware/memmap/${i}/end`]: `${end}\n`,
    [`sys/firmware/memmap/${i}/type`]: `${type}\n`,
  });
  const filler = Object.assign(
    {},
    ...Array.from({ length: 9 }, (_, i) => entry(i + 1, '0x0', '0xfff', 'Reserved')),
  );
  using tree = new FixtureTree({
    ...entry(0, '0x0', '0x9fbff', 'System RAM'),
    ...filler,
    ...entry(10, '0xfeffc000', '0xfeffffff', 'ACPI Tables'),
  });
  const map = readFirmwareMap(tree.root);
  assert.deepEqual(map.at(-1), { start: 0xfeffc000n, end: 0xfeffffffn, type: 'ACPI Tables' });
  const bytes = [
    '0b000000', // 11 entries
    '0000000000000000' + '00fc090000000000' + '01000000',
    '0000000000000000001000000000000002000000'.repeat(9),
    '00c0fffe00000000' + '0040000000000000' + '03000000',
  ].join('');
  assert.equal(e820Checksum(map), crc32(Buffer.from(bytes, 'hex')));
  assert.throws(() => e820Checksum([{ start: 0n, end: 1n, type: 'Unknown E820 type' }]), /unknown type/);
});

test('RAM that the kernel before kexec had something of its boot loader in counts as another kind', () => {
  const parameters = Buffer.alloc(4096);
  const entries: readonly (readonly [start: bigint, size: bigint, type: number])[] = [
    [0x90_0000n, 0x5ba5_e018n, 1],
    [0x5c35_e018n, 0x9c40n, 128],
    [0x5c36_7c58n, 0x2b3_d3a8n, 1],
  ];
  parameters[0x1e8] = entries.length;
  for (const [i, [start, size, type]] of entries.entries()) {
    parameters.writeBigUInt64LE(start, 0x2d0 + 20 * i);
    parameters.writeBigUInt64LE(size, 0x2d8 + 20 * i);
    parameters.writeUInt32LE(type, 0x2e0 + 20 * i);
  }
  const names = entries.flatMap(([start, size], i) => [
    [`sys/firmware/memmap/${i}/start`, `0x${start.toString(16)}\n`],
    [`sys/firmware/memmap/${i}/end`, `0x${(start + size - 1n).toString(16)}\n`],
    [`sys/firmware/memmap/${i}/type`, 'System RAM\n'],
  ]);
  using tree = new FixtureTree({ ...Object.fromEntries(names), 'sys/kernel/boot_params/data': parameters });
  const table = Buffer.concat([
    Buffer.from([3, 0, 0, 0]),
    parameters.subarray(0x2d0, 0x2d0 + 20 * entries.length),
  ]);
  assert.equal(e820Checksum(readFirmwareMap(tree.root)), crc32(table));
  using untold = new FixtureTree(Object.fromEntries(names));
  assert.ok(readFirmwareMap(untold.root).every(each => each.type === 'System RAM'));
  const cut = { ...Object.fromEntries(names), 'sys/kernel/boot_params/data': parameters.subarray(0, 0x2e2) };
  using short = new FixtureTree(cut);
  assert.ok(readFirmwareMap(short.root).every(each => each.type === 'System RAM'));
});
