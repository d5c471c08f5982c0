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

/** By name, so that a new class is no line here; that each folder keeps its promise: device-folders.test.ts. */
export async function loadServices(): Promise<ServiceList> {
  const services = await Promise.all(
    servingClasses.map(async name => [name, await serviceOf(name)] as const),
  );
  return Object.fromEntries(services) as ServiceList;
}

async function serviceOf(name: DeviceClass): Promise<ServiceOf<DeviceClass>> {
  const folder = (await import(`../devices/${name}/service.ts`)) as {
    readonly service: ServiceOf<DeviceClass>;
  };
  return folder.service;
}

/** Of every class of which something may be left behind. */
export const leftClasses = (services: ServiceList): readonly LeftClass[] =>
  Object.values<ServiceOf<DeviceClass>>(services).flatMap(each => each.left ?? []);
