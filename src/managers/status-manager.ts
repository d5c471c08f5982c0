// The status manager: keeps the device status table (Fig. 6) true by describing every device, gathers the devices'
// steps into the plans of a move, and brings the devices up again behind it.
import type { Capabilities } from '#core/capabilities.ts';
import type { DeviceLocationTable } from '#core/device-location-table.ts';
import { locate } from '#core/device-location-table.ts';
import type { DeviceStatusTable } from '#core/device-status-table.ts';
import {
  comesBeforeDisk,
  decideWay,
  functionsToRemove,
  type MovingDevice,
  type WayDecision,
} from '#core/device-ways.ts';
import type { Device, Move, ServeState } from '#devices/device.ts';
import { scanSteps } from '#devices/pci-steps.ts';
import { pciRemovePath } from '#linux/pci.ts';
import type { SourcePlans } from '#wire/job.ts';
import { type Plan, writeFileStep } from '#wire/plan.ts';

export interface PreparedMove {
  readonly ways: readonly WayDecision[];
  readonly plans: SourcePlans;
  /** PCI functions that are taken away before the image. */
  readonly removed: readonly string[];
  /** What the ghost is left with. */
  readonly behind: readonly ServeState[];
}

export class StatusManager {
  /** In the order of leaving. One that is plugged in later comes in too. */
  devices: readonly Device[];

  constructor(devices: readonly Device[]) {
    this.devices = devices;
  }

  /** For an agent that is started anew: see `Device.memory`. */
  memories(): Record<string, unknown> {
    return Object.fromEntries(
      this.devices.flatMap(each => (each.memory ? [[each.id, each.memory()] as const] : [])),
    );
  }

  /** The table as it is now. `elsewhere` names the other computer that has a device. */
  table(elsewhere: (device: string) => string | undefined): DeviceStatusTable {
    return this.devices.map(each => each.describe(elsewhere(each.id)));
  }

  /** Ways and plans of a move; reads the devices as they are now, changes nothing. */
  prepare(
    osId: string,
    epoch: number,
    source: Capabilities,
    target: Capabilities,
    table: DeviceStatusTable,
    locations: DeviceLocationTable,
  ): PreparedMove {
    const ways = table.map(row => decideWay(this.#moving(row.device, table, locations), source, target));
    const removed = functionsToRemove(source, target).map(each => each.address);
    const move: Move = { osId, epoch, source, target, ways, removed };
    const parts = this.devices.map(each => each.plans(move));
    const all = (name: keyof SourcePlans): Plan => parts.flatMap(part => part[name] ?? []);
    const removal = removed.map(address =>
      writeFileStep(`take away the PCI device ${address}`, pciRemovePath(address), '1'),
    );
    const isFirst = (address: string): boolean =>
      source.pci.some(each => each.address === address && comesBeforeDisk(each.class));
    const rescan = scanSteps(removed.toReversed().filter(isFirst)); // a bridge before what is behind it
    // The card of the stream leaves the bridge last: what fails before needs no network to be told. One that is taken away
    // leaves it before that.
    const network = parts.at(-1)?.leave ?? [];
    const isCardRemoved = removed.includes(source.nic?.pciAddress ?? '');
    const plans: SourcePlans = {
      leave: [
        ...parts.slice(0, -1).flatMap(part => part.leave ?? []),
        ...(isCardRemoved ? [...network, ...removal] : [...removal, ...network]),
      ],
      serve: all('serve'),
      back: [...rescan, ...all('back')],
      arrive: all('arrive'),
      adopt: all('adopt'),
    };
    const behind = this.devices.flatMap(each => each.leaveBehind(move) ?? []);
    return { ways, plans, removed, behind };
  }

  #moving(id: string, table: DeviceStatusTable, locations: DeviceLocationTable): MovingDevice {
    const row = table.find(each => each.device === id)!;
    const pciAddress = this.devices.find(each => each.id === id)?.pciAddress();
    return {
      device: id,
      class: row.class,
      osType: row.osType,
      computer: locate(locations, id).computer,
      ...(pciAddress !== undefined && { pciAddress }),
    };
  }
}
