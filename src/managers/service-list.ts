// What of this computer can serve an OS elsewhere: of the classes in core/device-class.ts that promise it, the service.ts
// of their folders. The devices an OS has are in device-list.ts: a standby, and a ghost, which is in a hurry, load only this.
import {
  type DeviceClass,
  type LendableClass,
  type RemoteClass,
  servingClasses,
} from '#core/device-class.ts';
import type { LeftClass, Lendable, ServiceOf } from '#devices/service.ts';

export type LendableList = Readonly<Record<LendableClass, { readonly lend: Lendable }>>;
export type ServiceList = { readonly [C in LendableClass | RemoteClass]: ServiceOf<C> } & {
  readonly [C in DeviceClass]?: ServiceOf<C>;
};

const serviceOf = async (name: DeviceClass): Promise<ServiceOf<DeviceClass>> => {
  const folder = (await import(`../devices/${name}/service.ts`)) as {
    readonly service: ServiceOf<DeviceClass>;
  };
  return folder.service;
};

// By name, so that a new class is no line here. That each folder keeps what its line promises: device-folders.test.ts.
const found = await Promise.all(servingClasses.map(async name => [name, await serviceOf(name)] as const));
export const serviceList = Object.fromEntries(found) as ServiceList;

/** Of every class of which something may be left behind. */
export const leftClasses: readonly LeftClass[] = found.flatMap(([, { left }]) => left ?? []);
