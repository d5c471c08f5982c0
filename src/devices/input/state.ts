// The items of keyboard and pointer in the device status table, and what an agent that is started anew must know of them.
import * as v from 'valibot';
import type { DeviceWay, StatusItem } from '#core/device-status-table.ts';
import { INPUT } from '#linux/abi-input.ts';
import type { InputDevice } from '#linux/input-devices.ts';

/** The device status table takes no longer texts. */
const maxText = 256;
const lightNames: Readonly<Record<number, string>> = {
  [INPUT.LED_NUML]: 'Num Lock',
  [INPUT.LED_CAPSL]: 'Caps Lock',
  [INPUT.LED_SCROLLL]: 'Scroll Lock',
  [INPUT.LED_COMPOSE]: 'Compose',
  [INPUT.LED_KANA]: 'Kana',
};

export const InputMemorySchema = v.strictObject({ typeName: v.string() });
export type InputMemory = v.InferOutput<typeof InputMemorySchema>;

/** What is used now, and whether it feeds the stubs. */
export interface InputState {
  readonly names: readonly string[];
  readonly converts: boolean;
  /** The other computer whose devices they are. */
  readonly lender: string | undefined;
  readonly lights: number;
  readonly keysHeld: readonly number[];
  readonly eventsPassed: number;
  /** Device files of the stubs; none when there is no uinput. */
  readonly stubs: readonly string[];
}

export function typeName(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ').slice(0, maxText);
}

export const typeNameOf = (devices: readonly InputDevice[]): string =>
  typeName(devices.map(each => each.name));

export function actualType({ names, lender }: InputState): string {
  const name = typeName(names);
  return (lender === undefined ? name : `${name} of ${lender}`).slice(0, maxText);
}

/** direct: only devices the OS was started with; converted: other ones, or positions made into movements. */
export function inputWay(osType: string, { names, converts, lender }: InputState): DeviceWay {
  if (names.length === 0) return 'lost';
  if (lender !== undefined) return 'remote';
  const known = new Set(osType.split(', '));
  return !converts && names.every(each => known.has(each)) ? 'direct' : 'converted';
}

export function inputItems({ lights, keysHeld, eventsPassed, stubs }: InputState): StatusItem[] {
  if (stubs.length === 0) return [{ item: 'programs use', state: 'the real devices: no uinput' }];
  const lit = Object.entries(lightNames).filter(([bit]) => lights & (1 << Number(bit)));
  return [
    { item: 'programs use', state: stubs.join(', ') },
    {
      item: 'keys held',
      state:
        keysHeld
          .map(code => `key ${code}`)
          .join(', ')
          .slice(0, maxText) || 'none',
    },
    { item: 'lights', state: lit.map(([, name]) => name).join(', ') || 'none' },
    { item: 'events passed', state: String(eventsPassed) },
  ];
}
