// Checks of the memory: where it lies, how much of it there is, what else lies there. Pure.

import type { Capabilities, DeviceRange, RamRange } from '../capabilities.ts';
import { functionsToRemove } from '../device-ways.ts';
import { imageBytesOf, imageRoom, imageShare, swapFolder } from '../image-room.ts';
import { fittingParameters, framesOutside, keptFree, lowPages, memoryEdge } from '../memory-edge.ts';
import { formatBytes } from '../quantities.ts';
import { countFrames, subtractRanges } from '../ram-ranges.ts';
import { finding, listed, type PreflightCheck } from './check.ts';

const pageBytes = 4096;
/** Bitmaps and page lists of the target's kernel, per page of image, and some room to breathe. */
const imageOverhead = 1 + 1 / 128;
const roomBytes = 32 * 1024 * 1024;

/** Both the shell that reads that file and GRUB take the sign for the beginning of a variable's name. */
const grubQuoting = String.raw`(within the quotes of /etc/default/grub write \\\$ for $)`;

/** Of the first MiB what A has and B has not. */
const lowOutside = (a: Capabilities, b: Capabilities): RamRange[] =>
  subtractRanges(framesOutside(a, b), [{ startPfn: lowPages, endPfn: Number.MAX_SAFE_INTEGER }]);

const isWindow = ({ name }: DeviceRange): boolean => name.startsWith('PCI Bus');

/** Windows from which new cards get places, without those of old cards below 1 MiB. */
const places = ({ memory }: Capabilities): DeviceRange[] =>
  memory.deviceRanges.filter(range => isWindow(range) && range.startPfn >= lowPages);

/**
 * Where the OS would put cards that B has, and they would not answer: B's memory, and all below its own first place for cards, which
 * its firmware or a graphics unit has. The kernel gives places from below.
 */
function notForCards(a: Capabilities, b: Capabilities): RamRange[] {
  const theirs = places(b).map(each => each.startPfn);
  const below = theirs.length > 0 ? [{ startPfn: 0, endPfn: Math.min(...theirs) }] : [];
  const mine = places(a);
  return subtractRanges(mine, subtractRanges(mine, [...b.memory.ramRanges, ...below]));
}

/** Names of the places at A, of those `chosen`, that touch these ranges. */
function touching(
  a: Capabilities,
  ranges: readonly RamRange[],
  chosen: (range: DeviceRange) => boolean,
): string[] {
  const found = a.memory.deviceRanges
    .filter(chosen)
    .filter(range => ranges.some(each => each.startPfn < range.endPfn && range.startPfn < each.endPfn));
  return [...new Set(found.map(each => each.name))];
}

/** Names of windows of A from which a card might get a place where it would not answer. */
const wrongWindows = (a: Capabilities, b: Capabilities): string[] => touching(a, notForCards(a, b), isWindow);

/** Megabytes, rounded outwards, as `memmap=` takes them: what must be kept free for that. */
function reservation(a: Capabilities, b: Capabilities): string {
  const pagesPerMiB = 256;
  return notForCards(a, b)
    .map(({ startPfn, endPfn }) => {
      const start = Math.floor(startPfn / pagesPerMiB);
      return `memmap=${Math.ceil(endPfn / pagesPerMiB) - start}M$${start}M`;
    })
    .join(' ');
}

/** The kernel's names of where the configuration space of PCI answers in memory. */
const isConfigSpace = (name: string): boolean => /^PCI (MMCONFIG|ECAM)/.test(name);
const withoutConfigSpace = 'start the OS with pci=nommconf: it then asks cards in the older way';

/** Registers of the chipset, as the OS knows it, where the target has those of a card: names of both. */
function registersOnCards(a: Capabilities, b: Capabilities): { chipset: string; card: string } | undefined {
  const isCard = ({ name }: DeviceRange): boolean => b.pci.some(({ address }) => address === name);
  const theirs = b.memory.deviceRanges.filter(isCard);
  for (const { name, startPfn, endPfn } of a.memory.deviceRanges) {
    if (name.startsWith('PCI Bus') || a.pci.some(({ address }) => address === name)) continue;
    const card = theirs.find(each => each.startPfn < endPfn && startPfn < each.endPfn);
    if (card) return { chipset: name, card: card.name };
  }
  return undefined;
}

/** Registers that go on answering where they are: of the chipset, and of cards that are not taken away before. */
function registersOnMemory(a: Capabilities, b: Capabilities): string[] {
  const removed = new Set(functionsToRemove(a, b).map(each => each.address));
  return touching(a, b.memory.ramRanges, range => !isWindow(range) && !removed.has(range.name));
}

export const memoryChecks: readonly PreflightCheck[] = [
  {
    id: 'ram-map',
    severity: 'error',
    title: 'the memory of the OS fits into that of the target',
    why: 'Every page goes where it was.',
    compare: (a, b) => {
      if (memoryEdge(a, b)) return null;
      const outside = countFrames(framesOutside(a, b));
      const low = lowOutside(a, b);
      if (outside === countFrames(low)) {
        return finding(
          `${countFrames(low)} page frames of the first MiB of ${a.name}, which is in every image, are missing on ${b.name}.`,
          `start the OS with ${keptFree(low).join(' ')} ${grubQuoting}`,
        );
      }
      const parameters = fittingParameters(a, b);
      return finding(
        `${formatBytes(outside * pageBytes)} of the memory of ${a.name} lie where ${b.name} has none.`,
        parameters === undefined
          ? 'choose another computer; these two keep too many places for themselves'
          : `start the OS with ${parameters}${parameters.includes('$') ? ` ${grubQuoting}` : ''}`,
      );
    },
  },
  {
    id: 'ram-edge',
    severity: 'note',
    title: 'no page frame of the source is missing on the target',
    why: 'The OS gives those few up before the move; one that it cannot do without ends the move there.',
    compare: (a, b) => {
      const count = countFrames(memoryEdge(a, b) ?? []);
      if (count === 0) return null;
      return finding(
        `${count} page frames of ${a.name} are missing on ${b.name}: the OS gives them up until it is started anew.`,
        'nothing to do',
      );
    },
  },
  {
    id: 'registers',
    severity: 'error',
    title: 'no device answers at the source where the target has memory',
    why: 'Drivers would write over memory instead of talking to their device.',
    compare: (a, b) => {
      const names = registersOnMemory(a, b);
      if (names.length === 0) return null;
      const kept = reservation(a, b);
      return finding(
        `Where ${b.name} has memory the OS has devices: ${listed(names)}.`,
        names.every(isConfigSpace)
          ? withoutConfigSpace
          : kept === ''
            ? 'choose another computer'
            : `start the OS anew, with: ${kept} ${grubQuoting}`,
      );
    },
  },
  {
    id: 'registers-cards',
    severity: 'warning',
    title: 'no chipset answers at the source where the target has a card',
    why: 'The OS would ask a card what it means to ask the chipset, and might write there.',
    compare: (a, b) => {
      const found = registersOnCards(a, b);
      if (!found) return null;
      return finding(
        `Where ${b.name} has a card (${found.card}) the OS has registers of the chipset of ${a.name}: ${found.chipset}.`,
        isConfigSpace(found.chipset) ? withoutConfigSpace : 'choose another computer',
      );
    },
  },
  {
    id: 'pci-windows',
    severity: 'note',
    title: 'the source gives cards no places where the target has memory',
    why: 'A card that is found at the target might be given such a place, and not work.',
    compare: (a, b) => {
      const names = wrongWindows(a, b);
      if (names.length === 0) return null;
      return finding(
        `${b.name} has memory where the OS looks for places for cards (${listed(names)}); one that it finds on ${b.name} may not work.`,
        `if one does not, start the OS with: ${reservation(a, b)} ${grubQuoting}`,
      );
    },
  },
  {
    id: 'network-place',
    severity: 'error',
    title: "there is a place for the target's network card where the target has no memory",
    why: 'The OS gives a card that it finds at the target a place where the source has no memory; if the target has some there, the card does not answer and the OS is cut off.',
    compare: (a, b) => {
      const card = a.nic?.pciAddress;
      if (!functionsToRemove(a, b).some(each => each.address === card)) return null;
      if (wrongWindows(a, b).length === 0) return null;
      return finding(
        `${b.name} has another network card than ${a.name}, and memory where the OS would put its registers.`,
        `start the OS with: ${reservation(a, b)} ${grubQuoting}`,
      );
    },
  },
  {
    id: 'memory-encryption',
    severity: 'error',
    title: 'both encrypt their memory, or neither does',
    why: 'The image would be read the wrong way.',
    compare: (a, b) => {
      if (a.memory.encrypted === b.memory.encrypted) return null;
      const [with_, without] = a.memory.encrypted ? [a, b] : [b, a];
      return finding(
        `${with_.name} encrypts its memory, ${without.name} does not.`,
        `start ${with_.name} with mem_encrypt=off`,
      );
    },
  },
  {
    id: 'memory-source',
    severity: 'error',
    on: 'source',
    title: 'there is room to make the image',
    why: 'The kernel makes the image in memory: at most half of it can be in use, the rest must go to the swap.',
    inspect: source => {
      const room = imageRoom(source);
      if (room.kind !== 'tooMuch') return null;
      const { name, memory } = source;
      const limit = formatBytes(memory.totalBytes * imageShare);
      return finding(
        `${name} uses ${formatBytes(memory.usedBytes)} of ${formatBytes(memory.totalBytes)}; an image can hold at most ${limit}, and the rest cannot be swapped out: ${room.reason}.`,
        room.hint,
      );
    },
  },
  {
    id: 'memory-swap',
    severity: 'note',
    on: 'source',
    title: 'nothing has to be swapped out for the image',
    why: 'Memory beyond half is swapped out before the move and comes back behind it: both take time.',
    inspect: source => {
      const room = imageRoom(source);
      if (room.kind !== 'swap' || room.swapBytes === 0) return null;
      const { name, memory } = source;
      const where =
        room.fileBytes > 0
          ? `a swap file of ${formatBytes(room.fileBytes)} that is made in ${swapFolder} and taken away after the move`
          : 'the swap there is';
      return finding(
        `${name} uses ${formatBytes(memory.usedBytes)} of ${formatBytes(memory.totalBytes)}: the move will use about ${formatBytes(room.swapBytes)} of swap, ${where}.`,
        'nothing to do',
      );
    },
  },
  {
    id: 'memory-target',
    severity: 'error',
    title: 'the target has room for the image',
    why: "The target's kernel takes the whole image into free memory.",
    compare: (a, b) => {
      const needed = imageBytesOf(a) * imageOverhead + roomBytes;
      if (b.memory.freeBytes >= needed) return null;
      return finding(
        `${b.name} has ${formatBytes(b.memory.freeBytes)} free, but the image needs ${formatBytes(needed)}.`,
        `give ${b.name} more memory, or end programs on ${a.name}`,
      );
    },
  },
];
