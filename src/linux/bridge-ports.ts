// The ports of a bridge, as /sys/class/net shows them. Reads only.
import { linkName, listNames, REAL_ROOT } from '#linux/sysfs.ts';

export interface BridgePort {
  readonly name: string;
  /** A card, and nothing that the kernel or a program has made (the tap of a virtual machine, a VLAN, a bond). */
  readonly isCard: boolean;
}

/** None when there is no such bridge, or nothing is in it. */
export function readBridgePorts(bridge: string, root = REAL_ROOT): BridgePort[] {
  return listNames(root, 'sys/class/net', bridge, 'brif').map(name => ({
    name,
    isCard: linkName(root, 'sys/class/net', name, 'device') !== undefined,
  }));
}
