// Checks of the network: the card, the bridge of the OS, and the way between the two computers. Pure.

import type { Capabilities } from '../capabilities.ts';
import { classOfPci } from '../device-class.ts';
import { reachEachOther } from '../machine-address.ts';
import { finding, listed, ofOs, type PreflightCheck } from './check.ts';

/** The interface may hang at a function that is no network card: at a USB controller, say. */
const isPciCard = ({ nic, pci }: Capabilities): boolean => {
  const above = pci.find(each => each.address === nic?.pciAddress);
  return above !== undefined && classOfPci(above.class) === 'network';
};

const lacksBridge = ({ os }: Capabilities): boolean => os !== null && os.ports.length === 0;

export const networkChecks: readonly PreflightCheck[] = [
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
    id: 'network-rivals',
    severity: 'warning',
    on: 'source',
    title: 'no other service looks after the network cards of the OS',
    why: 'It would take the card that is found at the target for its own, and give it addresses.',
    inspect: ofOs(({ networkRivals }, { name }) =>
      networkRivals.length > 0
        ? finding(
            `On ${name} ${listed(networkRivals.map(each => each.program))} takes network cards for its own, and would take the one of the target, too.`,
            networkRivals.map(each => `systemctl disable --now ${each.unit}`).join('; '),
          )
        : null,
    ),
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
];
