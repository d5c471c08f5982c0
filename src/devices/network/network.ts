// The network class. Stub: the bridge `os0`, which has the MAC and the addresses of the OS. Driver: any card as the
// bridge's port (another driver is just another port). The card leaves the bridge before the image is made, so that the
// copy on the target cannot send for the OS before it is granted. A card that the target does not have in the same place
// is taken away before the image, and found anew on both computers: new-card.ts.
import { classOfPci } from '#core/device-class.ts';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { LinkClient } from '#linux/link-client.ts';
import { listPciDevices } from '#linux/pci.ts';
import {
  type Address,
  encodeAddressAdd,
  encodeAddressDelete,
  encodeLinkChange,
  encodeRouteAdd,
  encodeRouteDelete,
  type Link,
  type LinkChange,
  type Route,
} from '#linux/rtnetlink.ts';
import { netlinkStep, type Plan, type PlanStep, sendPacketStep, writeFileStep } from '#wire/plan.ts';
import { type Arrival, type Device, type DevicePlans, type Move, rememberedType } from '../device.ts';
import { announcement } from './announce.ts';
import { aboutCard, findAnew, foundPort, isFound, waitForLink } from './new-card.ts';

export const bridgeName = 'os0';
const IFA_F_NOPREFIXROUTE = 0x200;
const scopeLink = 253;

/** The card beneath the bridge: one that is here, or one that will be found, whose index is `foundCard`. */
export type Port = Pick<Link, 'index' | 'name'>;

/** The state of the stub that a move must carry over or take down. */
interface NetworkState {
  readonly bridge: Link;
  readonly port: Port;
  readonly portMac: string;
  /** Addresses of the OS, without machine addresses and link-local ones. */
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
}

/** Names of the interfaces of network cards on PCI. Behind a USB controller there may be one too: that one is not found again. */
const pciCardNames = (): string[] =>
  listPciDevices()
    .filter(each => classOfPci(each.class) === 'network')
    .flatMap(each => each.netNames);

/** The port that is the card: a virtual machine, say, may have put its own beside it. Several cards are refused by a check. */
export function cardAmong<Link extends { readonly name: string }>(
  ports: readonly Link[],
  cardNames = pciCardNames,
): Link | undefined {
  if (ports.length < 2) return ports[0];
  const names = cardNames();
  return ports.find(each => names.includes(each.name)) ?? ports[0];
}

/** The bridge and its port, or undefined when the OS has no stub (then it cannot move). */
export function readNetwork(machineAddress: string): NetworkState | undefined {
  using client = new LinkClient();
  const links = client.links();
  const bridge = links.find(link => link.name === bridgeName);
  const port = bridge && cardAmong(links.filter(link => link.master === bridge.index));
  if (!bridge || !port?.mac) return undefined;
  const addresses = client
    .addresses()
    .filter(each => each.index === bridge.index && each.scope !== scopeLink && each.ip !== machineAddress);
  const routes = client
    .routes()
    .filter(each => each.index === bridge.index && each.gateway !== undefined && each.table === 254);
  return { bridge, port, portMac: port.mac, addresses, routes };
}

/** Gives the bridge the machine address of the computer it is on; the OS's own addresses stay as they are. */
export function ensureMachineAddress(address: string): void {
  using client = new LinkClient();
  const bridge = client.link(bridgeName);
  if (!bridge || client.addresses().some(each => each.index === bridge.index && each.ip === address)) return;
  client.addAddress(machineAddressOn(bridge.index, address));
}

/** Whether any card of the computer the OS is on has this address. */
export function hasAddress(ip: string): boolean {
  using client = new LinkClient();
  return client.addresses().some(each => each.ip === ip);
}

/** The addresses of the OS, for `yado status`. */
export function osAddresses(machineAddress: string): string[] {
  return readNetwork(machineAddress)?.addresses.map(each => `${each.ip}/${each.prefixLength}`) ?? [];
}

function machineAddressOn(index: number, ip: string): Address {
  return { index, ip, prefixLength: 32, flags: IFA_F_NOPREFIXROUTE, scope: 0 };
}

export class NetworkDevice implements Device {
  readonly id = 'network0';
  readonly #machineAddress: () => string;
  readonly #osType: string;

  constructor(machineAddress: () => string, remembered?: unknown) {
    this.#machineAddress = machineAddress;
    this.#osType = rememberedType(remembered) ?? this.#cardName();
  }

  memory(): object {
    return { typeName: this.#osType };
  }

  describe(): DeviceStatusRow {
    const state = readNetwork(this.#machineAddress());
    const actual = this.#cardName();
    return {
      device: this.id,
      class: 'network',
      osType: this.#osType,
      actualType: actual,
      way: actual === this.#osType ? 'direct' : 'converted',
      items: state
        ? [
            { item: 'MAC', state: state.bridge.mac ?? 'none' },
            {
              item: 'addresses',
              state: state.addresses.map(each => `${each.ip}/${each.prefixLength}`).join(' ') || 'none',
            },
            {
              item: 'routes',
              state:
                state.routes.map(each => `${each.destination ?? 'default'} via ${each.gateway}`).join(', ') ||
                'none',
            },
          ]
        : [],
    };
  }

  pciAddress(): string | undefined {
    return this.#card()?.address;
  }

  plans(move: Move): DevicePlans {
    const state = readNetwork(this.#machineAddress());
    if (!state) return {};
    const mine = this.#machineAddress();
    const theirs = (move.target.nic?.address ?? '').split('/')[0] ?? '';
    const card = this.pciAddress();
    const isRemoved = card !== undefined && move.removed.includes(card);
    // Before the card is back: from the image on, this kernel must not take in (and acknowledge) one byte for the
    // OS, for the copy would never see it, and the sender would never send it again.
    const mineAgain = isRemoved ? { ...state, port: foundPort(state.port) } : state;
    const find = isRemoved ? findAnew(card, state.port) : [];
    const link = isRemoved ? [waitForLink(state.port)] : [];
    const home: DevicePlans = {
      leave: [detach(state)],
      serve: [
        ...find,
        ...letGo(state, mine, theirs),
        attach(mineAgain),
        ...link,
        announce(mineAgain, mine, state.portMac),
      ],
      back: [
        ...takeBack(state, mine, theirs),
        ...(isRemoved ? findAnew(card, state.port, { mayFail: true }) : []),
        attach(mineAgain),
        ...link,
        ...announceAll(mineAgain, mine),
      ],
    };
    if (!isRemoved) {
      const mac = move.target.nic?.mac ?? '';
      // The driver came with the OS and still has the MAC of the source's card, which is in use there.
      const setMac = linkStep(`give ${state.port.name} the MAC of its hardware`, state.port, { mac });
      return { ...home, arrive: [setMac, ...arrive(state, mine, theirs)], adopt: adopt(state, theirs) };
    }
    const there = move.target.nic?.pciAddress ?? '';
    const stateThere = { ...state, port: foundPort(state.port) };
    return {
      ...home,
      arrive: [...findAnew(there, state.port), ...arrive(stateThere, mine, theirs)],
      // Also by a helper that has not found it itself: the one before has died.
      adopt: [...findAnew(there, state.port, { mayFail: true }), ...adopt(stateThere, theirs)],
    };
  }

  leaveBehind(): undefined {
    return undefined;
  }

  async restore(_arrival: Arrival): Promise<void> {
    // Done by the plans while the OS was frozen: no program has seen the network missing.
    // No route either: the card is always one of the computer the OS is on, for the way to any other begins with it.
  }

  #card() {
    const port = readNetwork(this.#machineAddress())?.port.name;
    return listPciDevices().find(each => port !== undefined && each.netNames.includes(port));
  }

  #cardName(): string {
    const card = this.#card();
    return card ? `${card.driver ?? 'network card'} ${hex(card.vendor)}:${hex(card.device)}` : 'no card';
  }
}

const hex = (id: number): string => id.toString(16).padStart(4, '0');

function linkStep(label: string, port: Port, change: LinkChange, options?: { mayFail: boolean }): PlanStep {
  return aboutPort(label, port, encodeLinkChange(port.index, change), options);
}

/** One message about the port, wherever it is. */
function aboutPort(label: string, port: Port, message: Uint8Array, options?: { mayFail: boolean }): PlanStep {
  return isFound(port) ? aboutCard(label, message, options) : netlinkStep(label, message, options);
}

function detach({ port }: NetworkState): PlanStep {
  return linkStep(`take ${port.name} out of the bridge`, port, { master: 0 });
}

function attach({ port, bridge }: NetworkState): PlanStep {
  const change = { master: bridge.index, up: true };
  return linkStep(`put ${port.name} into the bridge`, port, change, { mayFail: true });
}

function announce(state: NetworkState, ip: string, mac: string): PlanStep {
  return sendPacketStep(`announce ${ip}`, state.port.index, announcement(ip, mac), { mayFail: true });
}

/** On the target, before the claim: the bare card has the machine address, and nothing of the OS. */
function arrive({ port, bridge }: NetworkState, mine: string, theirs: string): Plan {
  return [
    linkStep(`switch on ${port.name}`, port, { up: true }),
    writeFileStep('answer for own addresses only', `/proc/sys/net/ipv4/conf/${port.name}/arp_ignore`, '1'),
    // While it is here too, packets from the source would come "from ourselves" and be dropped.
    netlinkStep(
      'put down the old machine address',
      encodeAddressDelete(machineAddressOn(bridge.index, mine)),
    ),
    aboutPort('take the machine address', port, encodeAddressAdd(machineAddressOn(port.index, theirs))),
    // The way to the source must be this card also for a strict reverse path filter.
    aboutPort('find the way to the source', port, encodeRouteAdd(hostRoute(port.index, mine, theirs))),
  ];
}

/** A stays on the net as a computer, with its own MAC and address, and lets go of all that is the OS's. */
function letGo(state: NetworkState, mine: string, theirs: string): Plan {
  const { bridge, addresses, portMac } = state;
  return [
    ...addresses.map(each => netlinkStep(`put down ${each.ip}`, encodeAddressDelete(each))),
    netlinkStep('take the MAC of the card', encodeLinkChange(bridge.index, { mac: portMac })),
    ...waysOf(state, mine, theirs).map(route =>
      netlinkStep('keep a way to other computers', encodeRouteAdd(route), { mayFail: true }),
    ),
  ];
}

/** Everything may fail: how far `letGo` came is not known. */
function takeBack(state: NetworkState, mine: string, theirs: string): Plan {
  const { bridge, addresses, routes } = state;
  const mayFail = { mayFail: true };
  return [
    netlinkStep(
      'take the MAC of the OS again',
      encodeLinkChange(bridge.index, { mac: bridge.mac ?? state.portMac }),
      mayFail,
    ),
    ...waysOf(state, mine, theirs).map(route =>
      netlinkStep('drop the way of the computer', encodeRouteDelete(route), mayFail),
    ),
    ...addresses.map(each => netlinkStep(`take ${each.ip} again`, encodeAddressAdd(each), mayFail)),
    ...routes.map(each => netlinkStep('set the route again', encodeRouteAdd(each), mayFail)),
  ];
}

function announceAll(state: NetworkState, machineAddress: string): Plan {
  const mac = state.bridge.mac ?? state.portMac;
  return [machineAddress, ...state.addresses.map(each => each.ip)].map(ip => announce(state, ip, mac));
}

function adopt(state: NetworkState, theirs: string): Plan {
  const { bridge, port } = state;
  return [
    aboutPort(
      'give the machine address to the bridge',
      port,
      encodeAddressDelete(machineAddressOn(port.index, theirs)),
      { mayFail: true },
    ),
    linkStep(`put ${port.name} into the bridge`, port, { master: bridge.index, up: true }),
    writeFileStep('answer as before', `/proc/sys/net/ipv4/conf/${port.name}/arp_ignore`, '0', {
      mayFail: true,
    }),
    netlinkStep('take the new machine address', encodeAddressAdd(machineAddressOn(bridge.index, theirs)), {
      mayFail: true,
    }),
    ...announceAll(state, theirs),
  ];
}

function hostRoute(index: number, destination: string, preferredSource: string): Route {
  return {
    family: 4,
    destination,
    prefixLength: 32,
    index,
    preferredSource,
    table: 254,
    protocol: 4,
    scope: scopeLink,
    type: 1,
  };
}

/** Ways of the computer that the OS has left: to the one that has it, whatever the addresses of the OS, and to all that these reached. */
const waysOf = (state: NetworkState, mine: string, theirs: string): Route[] => [
  hostRoute(state.bridge.index, theirs, mine),
  ...subnetRoutes(state, mine),
];

/** Routes to the networks that were reached through an address of the OS, from the machine address. */
function subnetRoutes({ bridge, addresses }: NetworkState, mine: string): Route[] {
  return addresses
    .filter(each => each.ip.includes('.') && each.prefixLength < 32)
    .map(each => ({
      family: 4,
      destination: networkOf(each.ip, each.prefixLength),
      prefixLength: each.prefixLength,
      index: bridge.index,
      preferredSource: mine,
      table: 254,
      protocol: 4,
      scope: scopeLink,
      type: 1,
    }));
}

/** `10.77.0.100`, 24 → `10.77.0.0`. */
function networkOf(ip: string, prefixLength: number): string {
  const value = ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const network = Math.floor(value / 2 ** (32 - prefixLength)) * 2 ** (32 - prefixLength);
  return [24, 16, 8, 0].map(shift => Math.floor(network / 2 ** shift) % 256).join('.');
}
