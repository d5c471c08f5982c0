// The devices of the OS: of every class in core/device-class.ts, the one that the class.ts of its folder finds. In the
// order of the list, which is that of leaving; coming back is the reverse.
import * as v from 'valibot';
import { type DeviceClass, deviceClassNames } from '#core/device-class.ts';
import { yadoError } from '#core/errors.ts';
import type { ClassOfDevices, Device, DeviceId } from '#devices/device.ts';

/** Only its schema knows what its settings are. */
type AnyClass = ClassOfDevices<DeviceClass, unknown>;
export type ClassesOfDevices = Readonly<Partial<Record<DeviceClass, AnyClass>>>;

/** What is known before any device is. */
export interface ProbedOs {
  /** Address of the computer the OS is on. */
  machineAddress(): string;
  /** What a former agent of this OS left in `Device.memory`, by device. */
  readonly remembered?: Readonly<Record<string, unknown>> | undefined;
  /** The tables of config.toml that belong to a class, by its name. */
  readonly settings?: Readonly<Partial<Record<DeviceClass, unknown>>> | undefined;
}

/** By name, so that a new class is no line here; that each folder keeps its promise: device-folders.test.ts. */
export async function loadClasses(): Promise<ClassesOfDevices> {
  const classes = await Promise.all(deviceClassNames.map(async name => [name, await classOf(name)] as const));
  return Object.fromEntries(classes);
}

async function classOf(name: DeviceClass): Promise<AnyClass> {
  const folder = (await import(`../devices/${name}/class.ts`)) as { readonly deviceClass: AnyClass };
  return folder.deviceClass;
}

export class DeviceList {
  readonly #classes: ClassesOfDevices;

  constructor(classes: ClassesOfDevices) {
    this.#classes = classes;
  }

  /** Finds the devices of this OS by probing. @throws YadoError `badConfig` for settings that do not fit their class */
  probe(os: ProbedOs): Device[] {
    return deviceClassNames.flatMap(name => this.#probe(name, os) ?? []);
  }

  /**
   * All devices once more, in their order: something may be plugged in while the OS runs. `known` itself when nothing
   * has come; what has gone stays, for it may come again.
   */
  lookAgain(known: readonly Device[], os: ProbedOs): readonly Device[] {
    const all = deviceClassNames.flatMap(name => {
      const there = known.find(each => each.id === idOf(name));
      return (there ?? (this.#classes[name]?.mayComeLater && this.#probe(name, os))) || [];
    });
    return all.length > known.length ? all : known;
  }

  #probe(name: DeviceClass, { machineAddress, remembered, settings }: ProbedOs): Device | undefined {
    const of = this.#classes[name];
    return of?.probe({
      machineAddress,
      remembered: remembered?.[idOf(name)],
      settings: checkedSettings(name, of, settings?.[name]),
    });
  }
}

function checkedSettings(name: DeviceClass, { settings }: AnyClass, told: unknown): unknown {
  if (told === undefined) return undefined;
  const fail = (reason: string) =>
    yadoError('badConfig', { file: '/etc/yadokari/config.toml', computer: 'this computer', reason });
  if (!settings) throw fail(`there is nothing to set of the class ${name}`);
  const checked = v.safeParse(settings, told);
  if (!checked.success) throw fail(`[${name}] ${v.summarize(checked.issues).replaceAll('\n', ' ')}`);
  return checked.output;
}

const idOf = (name: DeviceClass): DeviceId => `${name}0`;
