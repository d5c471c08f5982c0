// Checks of devices, and of what the OS does with those that stay behind. Pure.

import type { Capabilities } from '../capabilities.ts';
import { classOfPci } from '../device-class.ts';
import { functionsThatCannotGo, heldCardsToRemove } from '../device-ways.ts';
import { reachEachOther } from '../machine-address.ts';
import { isForBooting, mountsThatStay, swapsThatStay } from '../os-state.ts';
import { describeRootTrouble } from '../root-trouble.ts';
import { finding, listed, ofOs, type PreflightCheck } from './check.ts';

const mountList = (mounts: readonly { device: string; path: string }[]): string =>
  listed(mounts.map(({ device, path }) => `${path} on ${device}`));

/** The interface may hang at a function that is no network card: at a USB controller, say. */
const isPciCard = ({ nic, pci }: Capabilities): boolean => {
  const above = pci.find(each => each.address === nic?.pciAddress);
  return above !== undefined && classOfPci(above.class) === 'network';
};

const lacksBridge = ({ os }: Capabilities): boolean => os !== null && os.ports.length === 0;
const wayTo = { network: 'over which the OS comes home', disk: 'on which its disk is' } as const;
const cardsTold = 4;
const programsTold = 4;
/** Also the sockets, or the next program that wants to play something starts it again. */
const stopSound =
  'systemctl --user stop pipewire.socket pipewire-pulse.socket pipewire pipewire-pulse wireplumber';

export const deviceChecks: readonly PreflightCheck[] = [
  {
    id: 'nic',
    severity: 'error',
    on: 'both',
    title: 'there is a network card for the move',
    why: 'The OS travels over it.',
    inspect: computer =>
      computer.nic === null && !lacksBridge(computer)
        ? finding(
            `${computer.name} has no network card that works.`,
            `plug in its cable; where it has no driver (ip link), put another card into ${computer.name}`,
          )
        : null,
  },
  {
    id: 'network-card',
    severity: 'error',
    on: 'both',
    title: 'the network card for the move is a PCI card',
    why: 'A card is found by its PCI place, by the OS at the target and by a computer that the OS has left; behind USB, or beneath a bond or a VLAN, it is not.',
    inspect: computer => {
      const { name, role, nic } = computer;
      if (nic === null || isPciCard(computer)) return null;
      return role === 'active'
        ? finding(
            `The network card of ${name} that the OS travels over (${nic.name}) is no PCI card: it would not be found again.`,
            'put a PCI card into the bridge os0 instead: step 3 of /usr/share/doc/yadokari/install.md',
          )
        : finding(
            `The network card of ${name} (${nic.name}) is no PCI card: the OS could not find it there.`,
            `start ${name} with yado.nic=<MAC of a PCI card>, or choose another computer`,
          );
    },
  },
  {
    id: 'nic-driver',
    severity: 'error',
    title: "the OS has a driver for the target's network card",
    why: 'It would be cut off there.',
    compare: (_a, b, { missingDrivers }) => {
      const missing = missingDrivers.find(each => each.address === b.nic?.pciAddress);
      return missing
        ? finding(
            `The OS has no driver for the network card of ${b.name} (${missing.modalias}).`,
            'start the OS with a kernel that has one (a newer linux-image-amd64), or put another card there',
          )
        : null;
    },
  },
  {
    id: 'network-bridge',
    severity: 'error',
    on: 'source',
    title: 'the OS has its addresses on the bridge os0',
    why: 'The card beneath the bridge changes, the addresses stay.',
    inspect: computer =>
      lacksBridge(computer)
        ? finding(
            `The OS on ${computer.name} has no bridge os0 with a card in it.`,
            'set it up as step 3 of /usr/share/doc/yadokari/install.md says',
          )
        : null,
  },
  {
    id: 'network-ports',
    severity: 'error',
    on: 'source',
    title: 'only one card is in the bridge os0',
    why: 'One card is taken out of the bridge for the move: another one would go on taking in what is meant for the OS.',
    inspect: ofOs(({ ports }, { name, nic }) => {
      const cards = ports.filter(each => each.isCard).map(each => each.name);
      if (cards.length < 2) return null;
      const kept = cards.find(each => each === nic?.name) ?? cards[0];
      const others = cards.filter(each => each !== kept);
      return finding(
        `Several cards of ${name} are in the bridge os0: ${listed(cards)}.`,
        `${others.map(each => `ip link set ${each} nomaster`).join('; ')}; and in /etc/systemd/network/20-nic.network: Name=${kept}`,
      );
    }),
  },
  {
    id: 'network-reach',
    severity: 'error',
    title: 'both machine addresses lie in one network',
    why: 'The two speak with each other without a gateway: the OS would look in vain for the disk that it has left.',
    compare: (a, b) => {
      if (a.nic === null || b.nic === null || reachEachOther(a.nic.address, b.nic.address)) return null;
      return finding(
        `The machine addresses of ${a.name} (${a.nic.address}) and ${b.name} (${b.nic.address}) do not lie in one network: the two would not hear each other once the OS has moved.`,
        `give both addresses of one network, with its prefix length: ${a.name} in /etc/yadokari/config.toml, ${b.name} by a medium made with --address`,
      );
    },
  },
  {
    id: 'disk-mark',
    severity: 'error',
    on: 'source',
    title: 'the disk can bear the mark of an OS that has left',
    why: 'A power cut during the move could start the OS twice.',
    inspect: ofOs(({ unmarkable }, { name }) =>
      unmarkable === null
        ? null
        : finding(
            `The disk of ${name} cannot be marked as left: ${unmarkable}.`,
            'put the root on ext4, in a partition without a boot loader, on a disk with sectors of 512 bytes: /usr/share/doc/yadokari/install.md',
          ),
    ),
  },
  {
    id: 'network-way',
    severity: 'error',
    title: 'the OS finds a network card at the target',
    why: 'It asks for its freedom over that card, and its connections go on over it.',
    compare: (_a, b, { ways }) => {
      const network = ways.find(each => each.class === 'network');
      if (network?.way !== 'lost') return null;
      return finding(
        `The OS would have no network on ${b.name}: ${network.reason}.`,
        `put a network card into ${b.name}, or choose another computer`,
      );
    },
  },
  {
    id: 'disk-stub',
    severity: 'error',
    on: 'source',
    title: 'the root file system lies on the stub',
    why: 'Only what lies on /dev/mapper/yado-root is served everywhere.',
    inspect: ofOs(({ classes, rootTrouble }, { name }) =>
      classes.includes('disk') || rootTrouble
        ? null
        : finding(
            `The root file system of the OS on ${name} does not lie on the stub /dev/mapper/yado-root.`,
            'restart this computer once, without yado.root=off; a disk that hangs at no PCI device (iSCSI, some eMMC) cannot be served',
          ),
    ),
  },
  {
    id: 'disk-volume',
    severity: 'error',
    on: 'source',
    title: 'beneath the stub is a disk, a partition, or a linear volume of LVM on one of them',
    why: 'Whoever serves the disk has to find it again without the tools that made it.',
    inspect: ofOs(({ rootTrouble }, { name }) => {
      if (!rootTrouble) return null;
      const { what, hint } = describeRootTrouble(rootTrouble);
      return finding(`The root file system of the OS on ${name} cannot move: ${what}.`, hint);
    }),
  },
  {
    id: 'standby-drivers',
    severity: 'error',
    title: 'the standby that the source becomes has drivers for its network card and for the disk of the OS',
    why: 'The OS would lose its disk when it comes home: that computer would be out of reach, or without the disk.',
    compare: (a, _b, { disk }) => {
      // A disk that both reach is used from the target by itself.
      const lacks = (a.os?.undriven ?? []).filter(
        each => each.class === 'network' || disk?.mode !== 'shared',
      );
      if (lacks.length === 0) return null;
      const what = lacks.map(each => `${each.at} (${each.driver || 'no driver'}), ${wayTo[each.class]}`);
      return finding(
        `The standby that ${a.name} becomes behind the OS has no driver for ${listed(what)}.`,
        `use hardware of ${a.name} that a standby has drivers for: /usr/share/doc/yadokari/install.md`,
      );
    },
  },
  {
    id: 'standby-again',
    severity: 'note',
    title: 'the target is a standby again once the OS has left it',
    why: 'It then runs the standby of the package, which may lack a driver that the kernel on its medium has.',
    compare: (_a, b) =>
      b.nic?.standbyDrives === false
        ? finding(
            `The standby of the package has no driver for the network card of ${b.name}: once the OS has left it again, ${b.name} is out of reach.`,
            `nothing to do; then start ${b.name} from its medium again`,
          )
        : null,
  },
  {
    id: 'other-disks',
    severity: 'warning',
    on: 'source',
    title: 'no other disk is in use',
    why: 'Only the disk of the root file system is served over the network: programs get errors from any other.',
    inspect: ofOs(({ mounts }, { name }) => {
      const left = mounts.filter(each => !isForBooting(each));
      if (left.length === 0) return null;
      const lost = left.filter(each => each.place === undefined);
      const back =
        lost.length === 0 ? 'They are mounted anew' : `By hand must be mounted anew ${mountList(lost)},`;
      return finding(
        `Disks in use stay at ${name} and cannot be read elsewhere: ${mountList(left)}. ${back} when the OS is back.`,
        // What is mounted on top of another goes first.
        `umount ${left
          .map(each => each.path)
          .toReversed()
          .slice(0, 8)
          .join(' ')}`,
      );
    }),
  },
  {
    id: 'disks-held',
    severity: 'warning',
    on: 'source',
    title: 'no program has another disk open by itself',
    why: 'Volumes of virtual machines and bare partitions stay with their disk: whoever uses one gets errors from it.',
    inspect: ofOs(({ heldDisks }, { name }) => {
      if (heldDisks.length === 0) return null;
      const what = heldDisks.map(each => `${each.device} (${listed(each.programs, 2)})`);
      return finding(
        `Programs on ${name} have disks open that stay there: ${listed(what)}.`,
        'end these programs first: what they write would be lost',
      );
    }),
  },
  {
    id: 'zfs',
    severity: 'warning',
    on: 'source',
    title: 'no file system of ZFS is in use',
    why: 'Its disks stay. A pool that loses them waits for ever, and every program that uses it.',
    inspect: ofOs(({ zfs }, { name }) =>
      zfs.length === 0
        ? null
        : finding(
            `File systems of ZFS are mounted on ${name} (${listed(zfs)}), whose disks stay there.`,
            'zpool export, for each pool that zpool list names',
          ),
    ),
  },
  {
    id: 'boot-disks',
    severity: 'note',
    on: 'source',
    title: 'the files for starting the computer lie on no disk that stays',
    why: 'They are unmounted meanwhile; kernels and GRUB can be updated only at home.',
    inspect: ofOs(({ mounts }, { name }) => {
      const left = mounts.filter(isForBooting);
      if (left.length === 0) return null;
      const found = mountsThatStay(left);
      const lost = left.filter(each => each.place === undefined);
      const texts = [
        ...(found.length === 0
          ? []
          : [
              `${mountList(found)}: this stays at ${name}, is unmounted before the move and mounted again when the OS is back.`,
            ]),
        ...(lost.length === 0
          ? []
          : [`${mountList(lost)}: this stays at ${name}, and nothing would find it again there.`]),
      ];
      const paths = lost.map(each => each.path).toReversed();
      return finding(
        `${texts.join(' ')} Kernels and GRUB can be updated only at home.`,
        paths.length === 0
          ? 'nothing to do'
          : `umount ${paths.join(' ')}; at home again: mount ${paths.toReversed().join(' ')}`,
      );
    }),
  },
  {
    id: 'swap',
    severity: 'error',
    on: 'source',
    title: 'no swap lies on a disk that stays and would not be found again',
    why: 'What is swapped out there would be lost.',
    inspect: ofOs(({ swaps }, { name }) => {
      const left = swaps.filter(each => each.kind === 'disk' && each.place === undefined);
      if (left.length === 0) return null;
      const paths = left.map(each => each.path);
      return finding(
        `The OS swaps to ${listed(paths)}, which stays at ${name}: what is there would be lost.`,
        `swapoff ${paths.slice(0, 8).join(' ')}; a swap file on the root file system may stay`,
      );
    }),
  },
  {
    id: 'swap-off',
    severity: 'note',
    on: 'source',
    title: 'no swap is switched off for the move',
    why: 'What is swapped out on a disk that stays would be lost: it comes back into memory first, or goes to a swap file that moves with the OS.',
    inspect: ofOs(({ swaps }, { name }) => {
      const left = swapsThatStay(swaps);
      if (left.length === 0) return null;
      return finding(
        `Swap that stays at ${name} is switched off before the move: ${listed(left.map(each => each.path))}; it is on again when the OS is back.`,
        'nothing to do',
      );
    }),
  },
  {
    id: 'device-drivers',
    severity: 'note',
    title: 'the OS has drivers for all devices of the target',
    why: 'The OS cannot use what it has no driver for.',
    compare: (_a, b, { missingDrivers }) => {
      const others = missingDrivers.filter(each => each.address !== b.nic?.pciAddress);
      return others.length > 0
        ? finding(
            `The OS has no driver for ${others.length} devices of ${b.name}: ${listed(others.map(each => each.address))}.`,
            'nothing to do, unless you need them',
          )
        : null;
    },
  },
  {
    id: 'driver-lasts',
    severity: 'error',
    title: 'every card of the source that has to go can be taken from its driver',
    why: 'A driver that leaves its interrupt behind makes the kernel panic soon after.',
    compare: (a, b) => {
      const cards = functionsThatCannotGo(a, b);
      if (cards.length === 0) return null;
      const drivers = [...new Set(cards.flatMap(({ driver }) => driver ?? []))];
      return finding(
        `On ${a.name} the OS uses the driver ${listed(drivers)} (${listed(cards.map(each => each.address))}), which Linux cannot take away without a panic.`,
        `start the OS with modprobe.blacklist=${drivers.join(',')}; that card shows text only then`,
      );
    },
  },
  {
    id: 'devices-held',
    severity: 'error',
    title: 'no program holds a card of the source that has to go',
    why: 'Its driver waits until the program has closed it, and that stands still then: the OS would hang for ever.',
    compare: (a, b) => {
      const held = heldCardsToRemove(a.os?.heldCards ?? [], a, b);
      if (held.length === 0) return null;
      const cards = held.map(
        each => `${each.device} (${each.pciAddress}) by ${listed(each.programs, programsTold)}`,
      );
      return finding(
        `Programs on ${a.name} have devices open that cannot be taken away from them: ${cards.slice(0, cardsTold).join('; ')}.`,
        held.some(each => each.device.startsWith('/dev/snd/'))
          ? `end these programs; those of a desktop's sound, as the person who is logged in: ${stopSound}`
          : 'end these programs, and start them again after the move',
      );
    },
  },
  {
    id: 'driver-left-out',
    severity: 'note',
    title: 'the OS takes up every driver that it has for cards of the target',
    why: 'One that cannot be taken away again would keep the OS there.',
    compare: (_a, b, { lastingDrivers: left }) =>
      left.length === 0
        ? null
        : finding(
            `On ${b.name} the OS does without the driver ${listed([...new Set(left.map(each => each.module))])} (${listed(left.map(each => each.address))}), which Linux could not take away again.`,
            'nothing to do, unless you need that card',
          ),
  },
  {
    id: 'devices-lost',
    severity: 'note',
    title: 'no device of the OS gets lost',
    why: 'The OS would go on without it until it comes to a computer that has one.',
    compare: (_a, b, { ways }) => {
      const lost = ways.filter(each => each.way === 'lost' && each.class !== 'network');
      if (lost.length === 0) return null;
      return finding(
        `On ${b.name} the OS would have no ${listed(lost.map(each => each.device))}.`,
        'another computer can lend one: yado lend',
      );
    },
  },
  {
    id: 'usbip',
    severity: 'error',
    on: 'source',
    title: 'no USB device of another computer is attached (usbip)',
    why: 'Its driver refuses to stand still.',
    inspect: ofOs(({ usbipDevices }, { name }) =>
      usbipDevices > 0
        ? finding(
            `${name} uses ${usbipDevices} USB devices of other computers (usbip), whose driver does not stand still.`,
            'usbip port, then for each: usbip detach --port=<number>',
          )
        : null,
    ),
  },
  {
    id: 'wireguard',
    severity: 'note',
    on: 'source',
    title: 'no WireGuard is in use',
    why: 'The kernel forgets its keys at every move.',
    inspect: ofOs(({ wireguard }, { name }) =>
      wireguard.length > 0
        ? finding(
            `WireGuard on ${name} (${listed(wireguard)}) forgets its keys and connects anew after the move.`,
            'nothing to do',
          )
        : null,
    ),
  },
  {
    id: 'tasks',
    severity: 'note',
    on: 'source',
    title: 'no program waits in the kernel',
    why: 'One that still does at the freeze does not stand still, and the move is given up.',
    inspect: ofOs(({ waitingTasks }, { name }) =>
      waitingTasks.length > 0
        ? finding(
            `On ${name} these wait in the kernel and may not stand still: ${listed(waitingTasks)}.`,
            `see whether they still do: ps -eo pid,stat,wchan:30,cmd | awk '$2 ~ /^D/'`,
          )
        : null,
    ),
  },
  {
    id: 'fuse',
    severity: 'note',
    on: 'source',
    title: 'no file system in user space (FUSE) owes an answer',
    why: 'Whoever waits for it does not stand still when its server is stopped first.',
    inspect: ofOs(({ fuseRequests }, { name }) =>
      fuseRequests > 0
        ? finding(
            `On ${name} ${fuseRequests} requests to file systems in user space (FUSE) are not answered; who waits for them may not stand still.`,
            'if the move is given up because of it: umount that file system',
          )
        : null,
    ),
  },
];
