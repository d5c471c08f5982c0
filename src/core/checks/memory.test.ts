// Checks of the memory: what each finds, on which computer, and that it says so in a sentence with something to do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alpha, beta, diskA, MiB, nic, nicB, plainOs, vgaB } from '../fixture-computers.ts';
import { type Case, found, memory, tryGroup, upTo } from './fixture-cases.ts';
import { memoryChecks } from './memory.ts';

const configSpace = { name: 'PCI MMCONFIG 0000 [bus 00-ff]', startPfn: 0xe0000, endPfn: 0xf0000 };

const cases: readonly Case[] = [
  {
    id: 'ram-map',
    b: memory(beta, { ramRanges: [{ startPfn: 1, endPfn: 0x20000 }] }),
    says: /of the memory of alpha lie where beta has none/,
    hint: /^start the OS with mem=512M$/,
  },
  {
    // the firmware of beta keeps some for itself, in two places near each other and at the end
    id: 'ram-map',
    b: memory(beta, {
      ramRanges: [
        { startPfn: 1, endPfn: 0x800 },
        { startPfn: 0x808, endPfn: 0x80b },
        { startPfn: 0x810, endPfn: 0x3fe40 },
      ],
    }),
    says: /of the memory of alpha lie where beta has none/,
    hint: /^start the OS with mem=1022M memmap=64K\$8192K \(within the quotes of \/etc\/default\/grub write \\\\\\\$ for \$\)$/,
  },
  {
    id: 'ram-map',
    b: memory(beta, {
      ramRanges: Array.from({ length: 64 }, (_, at) => ({
        startPfn: at * 0x1000 + 1,
        endPfn: at * 0x1000 + 0x800,
      })),
    }),
    says: /of the memory of alpha lie where beta has none/,
    hint: /^choose another computer/,
  },
  {
    id: 'ram-map',
    b: memory(beta, {
      ramRanges: [
        { startPfn: 1, endPfn: 0x9d },
        { startPfn: 0x100, endPfn: 0x40000 },
      ],
    }),
    says: /^\d+ page frames of the first MiB of alpha, .* are missing on beta\.$/,
    hint: /^start the OS with memmap=\d+K\$628K/,
  },
  {
    id: 'ram-edge',
    b: memory(beta, { ramRanges: [{ startPfn: 1, endPfn: 0x3ffda }] }),
    says: /^3 page frames of alpha are missing on beta: the OS gives them up until it is started anew\.$/,
  },
  {
    id: 'pci-windows',
    b: upTo(0x80000),
    says: /^beta has memory .*\(PCI Bus 0000:00\)/,
    hint: /memmap=1024M\$1024M/,
  },
  {
    id: 'registers',
    a: memory(alpha, { deviceRanges: [{ name: nic.address, startPfn: 0x41000, endPfn: 0x41001 }] }),
    b: upTo(0x80000),
    says: /^Where beta has memory the OS has devices: 0000:00:03\.0\.$/,
    hint: /^choose another computer$/,
  },
  {
    id: 'registers',
    a: memory(alpha, { deviceRanges: [{ name: 'HPET 0', startPfn: 0x41000, endPfn: 0x41001 }] }),
    b: upTo(0x80000),
    says: /HPET 0/,
  },
  {
    id: 'registers', // of a kind that a parameter switches off
    a: memory(alpha, { deviceRanges: [{ ...configSpace, startPfn: 0x41000, endPfn: 0x51000 }] }),
    b: upTo(0x80000),
    says: /PCI MMCONFIG/,
    hint: /^start the OS with pci=nommconf/,
  },
  {
    id: 'registers-cards',
    a: memory(alpha, { deviceRanges: [configSpace] }),
    b: memory(beta, { deviceRanges: [{ name: vgaB.address, startPfn: 0xe1000, endPfn: 0xe2000 }] }),
    says: /^Where beta has a card \(0000:00:02\.0\) the OS has registers of the chipset of alpha: PCI MMCONFIG/,
    hint: /^start the OS with pci=nommconf/,
  },
  {
    id: 'memory-encryption',
    b: memory(beta, { encrypted: true }),
    says: /^beta encrypts its memory, alpha does not/,
  },
  {
    id: 'memory-source',
    a: memory(alpha, { usedBytes: 600 * MiB }),
    os: { swapping: { ...plainOs.swapping, swappableBytes: 700 * MiB, fileBytes: 100 * MiB } },
    says: /^alpha uses 600 MiB of 1000 MiB; .* at most 480 MiB, .*: a swap file of \d+ MiB has no room on the disk/,
    hint: /^make room on the disk of the OS, or: swapon /,
  },
  {
    id: 'memory-swap',
    a: memory(alpha, { usedBytes: 800 * MiB }),
    os: { swapping: { ...plainOs.swapping, swappableBytes: 700 * MiB } },
    says: /^alpha uses 800 MiB of 1000 MiB: the move will use about 476 MiB of swap, a swap file of 548 MiB that is made in /,
    hint: /^nothing to do$/,
  },
  { id: 'memory-target', b: memory(beta, { freeBytes: 100 * MiB }), says: /^beta has 100 MiB free/ },
];

/** Found together with `pci-windows`: it matters only for a card that must be found. */
const withOtherCard: Case = {
  id: 'network-place',
  b: { ...upTo(0x80000), pci: beta.pci.map(each => (each === nic ? nicB : each)) },
  says: /^beta has another network card than alpha, and memory where/,
  hint: /^start the OS with: memmap=1024M\$1024M/,
};

tryGroup(memoryChecks, cases, [withOtherCard.id]);

test('another network card needs a place where the target has no memory', () => {
  const results = found(withOtherCard);
  assert.deepEqual(results.map(check => check.id).toSorted(), ['network-place', 'pci-windows']);
  const [result] = results.filter(check => check.id === 'network-place');
  assert.match(result?.text ?? '', withOtherCard.says);
  assert.match(result?.hint ?? '', withOtherCard.hint!);
  const { pci } = withOtherCard.b!;
  assert.deepEqual(found({ b: { pci: pci! } }), []);
});

test('what the firmware of the target keeps above its memory is no place for a card either', () => {
  const [window] = beta.memory.deviceRanges;
  const pci = beta.pci.map(each => (each === nic ? nicB : each));
  const deviceRanges = [{ ...window!, startPfn: 0x48000 }];
  const results = found({ b: { ...memory(beta, { deviceRanges }), pci } });
  assert.deepEqual(results.map(each => each.id).toSorted(), ['network-place', 'pci-windows']);
  assert.match(results[0]?.hint ?? '', /memmap=128M\$1024M /);
});

test('a card in a window where the target has memory would be elsewhere in an OS that keeps that place free', () => {
  const [window] = alpha.memory.deviceRanges;
  const card = { name: nic.address, startPfn: 0x41000, endPfn: 0x41001 };
  const results = found({
    a: memory(alpha, { deviceRanges: [window!, card] }),
    b: upTo(0x80000),
  });
  assert.deepEqual(results.map(each => each.id).toSorted(), ['pci-windows', 'registers']);
  const hint = results.find(each => each.id === 'registers')?.hint ?? '';
  assert.match(hint, /^start the OS anew, with: memmap=1024M\$1024M /);
});

test('registers of a card that is taken away before the move are no obstacle', () => {
  const deviceRanges = [{ name: diskA.address, startPfn: 0x41000, endPfn: 0x41001 }];
  assert.deepEqual(found({ a: memory(alpha, { deviceRanges }), b: upTo(0x80000) }), []);
});
