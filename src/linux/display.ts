// Displays as sysfs shows them: framebuffers, the consoles that can be bound to them, DRM cards and their outputs.
// Reads only; binding a console is a write to vtconsoleBindPath, made by a plan.
import { join } from 'node:path';
import { pciAddressIn } from '#linux/pci.ts';
import { linkName, listNames, REAL_ROOT, readNumber, readText, resolveLink } from '#linux/sysfs.ts';

/** /dev/fb<index>. */
export interface Framebuffer {
  readonly index: number;
  /** Driver's name: "vga16fb", "Virtual FB", "bochs-drmdrmfb". */
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  readonly pciAddress?: string;
}

/** /sys/class/vtconsole/vtcon<index>: a console driver, bound to the virtual terminals or not. */
export interface VtConsole {
  readonly index: number;
  /** "(S) dummy device", "(M) frame buffer device"; S = system, M = modular. */
  readonly name: string;
  readonly bound: boolean;
}

/** A plug of a card. `modes` as in sysfs, best first ("1280x800"). */
export interface DrmConnector {
  /** "Virtual-1" */
  readonly name: string;
  readonly connected: boolean;
  readonly enabled: boolean;
  readonly modes: readonly string[];
}

/** /dev/dri/card<index>. Ids are 0 for cards that are no PCI devices. */
export interface DrmCard {
  readonly index: number;
  readonly driver: string | undefined;
  readonly vendor: number;
  readonly device: number;
  readonly pciAddress?: string;
  readonly connectors: readonly DrmConnector[];
}

export function listFramebuffers(root = REAL_ROOT): Framebuffer[] {
  return indexed(root, 'sys/class/graphics', 'fb').map(({ index, path }) => {
    const [width = 0, height = 0] = (readText(root, path, 'virtual_size') ?? '').split(',').map(Number);
    return {
      index,
      name: readText(root, path, 'name') ?? '',
      width,
      height,
      bitsPerPixel: readNumber(root, path, 'bits_per_pixel') ?? 0,
      ...pciOf(root, path),
    };
  });
}

export function listVtConsoles(root = REAL_ROOT): VtConsole[] {
  return indexed(root, 'sys/class/vtconsole', 'vtcon').map(({ index, path }) => ({
    index,
    name: readText(root, path, 'name') ?? '',
    bound: readNumber(root, path, 'bind') === 1,
  }));
}

/** The file to which "0" (unbind) or "1" (bind) is written. */
export function vtconsoleBindPath(index: number): string {
  return `/sys/class/vtconsole/vtcon${index}/bind`;
}

export function listDrmCards(root = REAL_ROOT): DrmCard[] {
  return indexed(root, 'sys/class/drm', 'card').map(({ index, path }) => ({
    index,
    driver: linkName(root, path, 'device/driver'),
    vendor: readNumber(root, path, 'device/vendor') ?? 0,
    device: readNumber(root, path, 'device/device') ?? 0,
    ...pciOf(root, path),
    connectors: listNames(root, 'sys/class/drm')
      .filter(name => name.startsWith(`card${index}-`))
      .map(name => readConnector(root, name, index)),
  }));
}

function readConnector(root: string, name: string, cardIndex: number): DrmConnector {
  const path = join('sys/class/drm', name);
  return {
    name: name.slice(`card${cardIndex}-`.length),
    connected: readText(root, path, 'status') === 'connected',
    enabled: readText(root, path, 'enabled') === 'enabled',
    modes: [...new Set((readText(root, path, 'modes') ?? '').split('\n'))].filter(mode => mode !== ''),
  };
}

function indexed(root: string, directory: string, prefix: string): { index: number; path: string }[] {
  return listNames(root, directory)
    .filter(name => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map(name => ({ index: Number(name.slice(prefix.length)), path: join(directory, name) }));
}

function pciOf(root: string, path: string): { readonly pciAddress?: string } {
  const devicePath = resolveLink(root, path);
  const pciAddress = devicePath === undefined ? undefined : pciAddressIn(devicePath);
  return pciAddress === undefined ? {} : { pciAddress };
}
