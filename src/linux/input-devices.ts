// Input devices of the computer as sysfs shows them: names, kinds and what they can do. Reads only, opens none: looking
// must not wake a device nor disturb who uses it.
import { basename } from 'node:path';
import { INPUT } from '#linux/abi-input.ts';
import { listNames, REAL_ROOT, readText, resolveLink } from '#linux/sysfs.ts';

export interface InputDevice {
  /** "/dev/input/eventN"; undefined when the module evdev is not there. */
  readonly path: string | undefined;
  /** "inputN": never given to another device in the same boot. */
  readonly id: string;
  /** The device's own words, made printable. */
  readonly name: string;
  readonly kind: 'keyboard' | 'pointer';
  /** It gives positions, not movements. */
  readonly absolute: boolean;
  /** A position is where a finger or pen touches the screen or tablet itself. */
  readonly direct: boolean;
  /** A finger's place on a pad: only its movements count. */
  readonly touchpad: boolean;
  readonly hasLights: boolean;
}

/** Keys that switch the computer: a device with no others is a button of its case. */
const buttonsOfTheCase: ReadonlySet<number> = new Set([
  INPUT.KEY_POWER,
  INPUT.KEY_SLEEP,
  INPUT.KEY_WAKEUP,
  INPUT.KEY_SUSPEND,
]);
const maxNameLength = 80;

/** Real keyboards and pointers in natural order; neither those programs made, nor buttons, lids, joysticks, speakers. */
export function listInputDevices(root = REAL_ROOT): InputDevice[] {
  return listNames(root, 'sys/class/input')
    .filter(name => /^input\d+$/.test(name))
    .flatMap(name => readDevice(root, name) ?? []);
}

function readDevice(root: string, id: string): InputDevice | undefined {
  const place = resolveLink(root, 'sys/class/input', id);
  // uinput's devices hang on nothing; Bluetooth's (uhid) lie below /sys/devices/virtual too, but not in this place.
  if (place === undefined || place.startsWith('sys/devices/virtual/input/')) return undefined;
  const bits = (kind: string): Set<number> => parseBits(readText(root, place, 'capabilities', kind) ?? '');
  const [keys, rel, abs, properties] = [
    bits('key'),
    bits('rel'),
    bits('abs'),
    parseBits(readText(root, place, 'properties') ?? ''),
  ];
  const bus = Number.parseInt(readText(root, place, 'id/bustype') ?? '', 16);
  const kind = kindOf(bus, keys, rel, abs);
  if (!kind) return undefined;
  const event = listNames(root, place).find(each => /^event\d+$/.test(each));
  const absolute = kind === 'pointer' && !rel.has(INPUT.REL_X);
  const direct = properties.has(INPUT.INPUT_PROP_DIRECT);
  return {
    path: event && `/dev/input/${event}`,
    id: basename(place),
    name: printable(readText(root, place, 'name') ?? ''),
    kind,
    absolute,
    direct,
    touchpad: absolute && !direct && keys.has(INPUT.BTN_TOOL_FINGER),
    hasLights: bits('led').size > 0,
  };
}

function kindOf(
  bus: number,
  keys: ReadonlySet<number>,
  rel: ReadonlySet<number>,
  abs: ReadonlySet<number>,
): InputDevice['kind'] | undefined {
  if (keys.has(INPUT.BTN_JOYSTICK) || keys.has(INPUT.BTN_GAMEPAD)) return undefined;
  const moves =
    (rel.has(INPUT.REL_X) && rel.has(INPUT.REL_Y)) || (abs.has(INPUT.ABS_X) && abs.has(INPUT.ABS_Y));
  if (moves && (keys.has(INPUT.BTN_LEFT) || keys.has(INPUT.BTN_TOUCH))) return 'pointer';
  // Buttons and hot keys of the board: ACPI and platform drivers, whose meaning does not move with the OS.
  if (bus === INPUT.BUS_HOST) return undefined;
  const typed = [...keys].filter(code => code < INPUT.BTN_MISC || code >= INPUT.KEY_OK);
  return typed.some(code => !buttonsOfTheCase.has(code)) ? 'keyboard' : undefined;
}

/** Numbers of the set bits in "f 0 120013": 64-bit words in hexadecimal, the highest first. */
export function parseBits(text: string): Set<number> {
  const set = new Set<number>();
  const words = text.split(' ').filter(word => /^[0-9a-f]{1,16}$/.test(word));
  for (const [index, word] of words.toReversed().entries()) {
    const value = BigInt(`0x${word}`);
    for (let bit = 0; bit < 64; bit++) if ((value >> BigInt(bit)) & 1n) set.add(index * 64 + bit);
  }
  return set;
}

const printable = (name: string): string =>
  name
    .replaceAll(/[^\x20-\x7e\xa0-\uffff]/g, '?')
    .trim()
    .slice(0, maxNameLength) || 'without a name';
