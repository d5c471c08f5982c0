// Services that take every network card they see for theirs, besides systemd-networkd, which has the bridge of the OS. Reads only.
import { programOf } from '#linux/open-files.ts';
import { listNames, REAL_ROOT, readText } from '#linux/sysfs.ts';

/** As the kernel names their processes, and the unit that a person switches off. */
const unitOf: Readonly<Record<string, string>> = {
  NetworkManager: 'NetworkManager',
  connmand: 'connman',
  wickedd: 'wickedd',
  dhcpcd: 'dhcpcd',
};

export interface NetworkRival {
  /** "NetworkManager (pid 812)" */
  readonly program: string;
  readonly unit: string;
}

/** @param card that is in the bridge; who leaves that one alone is told to leave cards alone */
export function readNetworkRivals(card: string | undefined, root = REAL_ROOT): NetworkRival[] {
  const index = card === undefined ? undefined : readText(root, 'sys/class/net', card, 'ifindex');
  return listNames(root, 'proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      const name = readText(root, 'proc', pid, 'comm') ?? '';
      const unit = Object.hasOwn(unitOf, name) ? unitOf[name] : undefined;
      if (unit === undefined || (unit === 'NetworkManager' && leavesAlone(index, root))) return [];
      return [{ program: programOf(pid, root), unit }];
    });
}

/** NetworkManager writes down what it does with each interface. */
const leavesAlone = (index: string | undefined, root: string): boolean =>
  index !== undefined && /^managed=false$/m.test(readText(root, 'run/NetworkManager/devices', index) ?? '');
