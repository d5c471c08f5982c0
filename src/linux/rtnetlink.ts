// Links, addresses and routes as rtnetlink messages. Pure: encoders give bytes for a NetlinkSocket or a plan.
// Interfaces are named by index; link-client.ts finds the index of a name.
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { formatIp, formatMac, parseIp, parseMac } from '#linux/ip-address.ts';
import {
  type Attribute,
  encodeMessage,
  type NetlinkMessage,
  numberOf,
  parseAttributes,
  textOf,
} from '#linux/netlink.ts';
import { FormatError } from '#linux/system-error.ts';

// IFLA_OPERSTATE values, Documentation/networking/operstates.rst
const OPERATIONAL_STATES = [
  'unknown',
  'notpresent',
  'down',
  'lowerlayerdown',
  'testing',
  'dormant',
  'up',
] as const;
export type OperationalState = (typeof OPERATIONAL_STATES)[number];

/** A network interface. `master` is the index of its bridge or bond; `kind` e.g. 'bridge', undefined for hardware. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly mac: string | undefined;
  readonly permanentMac: string | undefined;
  readonly mtu: number | undefined;
  readonly master: number | undefined;
  readonly kind: string | undefined;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly operationalState: OperationalState;
}

/** `flags` are IFA_F_* bits. `broadcast` only for IPv4. */
export interface Address {
  readonly index: number;
  readonly ip: string;
  readonly prefixLength: number;
  readonly flags: number;
  readonly scope: number;
  readonly broadcast?: string | undefined;
}

/** Text `destination` (undefined = default route) and numbers as in struct rtmsg. `index` is the outgoing interface. */
export interface Route {
  readonly family: 4 | 6;
  readonly destination?: string | undefined;
  readonly prefixLength: number;
  readonly gateway?: string | undefined;
  readonly index?: number | undefined;
  readonly metric?: number | undefined;
  readonly preferredSource?: string | undefined;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
}

/** What encodeLinkChange may change; `master: 0` releases from the bridge. Absent fields stay as they are. */
export interface LinkChange {
  readonly up?: boolean;
  readonly master?: number;
  readonly mac?: string;
  readonly name?: string;
  readonly mtu?: number;
}

export function encodeLinkChange(index: number, change: LinkChange): Uint8Array {
  return encodeMessage(C.RTM_NEWLINK, 0, linkHeader(index, change.up), linkAttributes(change));
}

/** A bridge with a fixed MAC (else it follows its lowest port), without STP and forwarding delay. */
export function encodeBridgeCreate(name: string, mac: string): Uint8Array {
  const data: Attribute[] = [
    [C.IFLA_BR_FORWARD_DELAY, 0],
    [C.IFLA_BR_STP_STATE, 0],
  ];
  const info: Attribute[] = [
    [C.IFLA_INFO_KIND, 'bridge'],
    [C.IFLA_INFO_DATA, data],
  ];
  const flags = C.NLM_F_CREATE | C.NLM_F_EXCL;
  return encodeMessage(C.RTM_NEWLINK, flags, linkHeader(0, undefined), [
    ...linkAttributes({ name, mac }),
    [C.IFLA_LINKINFO, info],
  ]);
}

export function encodeLinkDelete(index: number): Uint8Array {
  return encodeMessage(C.RTM_DELLINK, 0, linkHeader(index, undefined), []);
}

/** Adds (replacing one that exists) an address. IPv6 gets NODAD when `flags` says so. */
export function encodeAddressAdd(address: Address): Uint8Array {
  return encodeAddress(C.RTM_NEWADDR, C.NLM_F_CREATE | C.NLM_F_REPLACE, address);
}

export function encodeAddressDelete(address: Address): Uint8Array {
  return encodeAddress(C.RTM_DELADDR, 0, address);
}

export function encodeRouteAdd(route: Route): Uint8Array {
  return encodeRoute(C.RTM_NEWROUTE, C.NLM_F_CREATE | C.NLM_F_REPLACE, route);
}

export function encodeRouteDelete(route: Route): Uint8Array {
  return encodeRoute(C.RTM_DELROUTE, 0, route);
}

export function encodeDump(what: 'links' | 'addresses' | 'routes'): Uint8Array {
  if (what === 'links') return encodeMessage(C.RTM_GETLINK, C.NLM_F_DUMP, linkHeader(0, undefined), []);
  if (what === 'addresses') {
    return encodeMessage(C.RTM_GETADDR, C.NLM_F_DUMP, new Uint8Array(SIZE['struct ifaddrmsg']), []);
  }
  return encodeMessage(C.RTM_GETROUTE, C.NLM_F_DUMP, new Uint8Array(SIZE['struct rtmsg']), []);
}

/** @throws FormatError */
export function decodeLink(message: NetlinkMessage): Link {
  const at = OFFSET['struct ifinfomsg'];
  const header = headerOf(message, C.RTM_NEWLINK, SIZE['struct ifinfomsg']);
  const found = parseAttributes(message.payload, SIZE['struct ifinfomsg']);
  const mac = found.get(C.IFLA_ADDRESS);
  const permanentMac = found.get(C.IFLA_PERM_ADDRESS);
  const info = found.get(C.IFLA_LINKINFO);
  return {
    index: header.readInt32LE(at.ifi_index),
    name: textOf(found.get(C.IFLA_IFNAME)) ?? '',
    mac: mac && formatMac(mac),
    permanentMac: permanentMac && formatMac(permanentMac),
    mtu: numberOf(found.get(C.IFLA_MTU)),
    master: numberOf(found.get(C.IFLA_MASTER)),
    kind: info && textOf(parseAttributes(info).get(C.IFLA_INFO_KIND)),
    up: (header.readUInt32LE(at.ifi_flags) & C.IFF_UP) !== 0,
    carrier: numberOf(found.get(C.IFLA_CARRIER)) === 1,
    operationalState: OPERATIONAL_STATES[numberOf(found.get(C.IFLA_OPERSTATE)) ?? 0] ?? 'unknown',
  };
}

/** @throws FormatError */
export function decodeAddress(message: NetlinkMessage): Address {
  const at = OFFSET['struct ifaddrmsg'];
  const header = headerOf(message, C.RTM_NEWADDR, SIZE['struct ifaddrmsg']);
  const found = parseAttributes(message.payload, SIZE['struct ifaddrmsg']);
  // IFA_LOCAL is the own address; IFA_ADDRESS is the peer's on point-to-point links (and the only one for IPv6).
  const ip = found.get(C.IFA_LOCAL) ?? found.get(C.IFA_ADDRESS);
  if (ip === undefined) throw new FormatError('netlink', 'address message without address');
  const broadcast = found.get(C.IFA_BROADCAST);
  return {
    index: header.readUInt32LE(at.ifa_index),
    ip: formatIp(ip),
    prefixLength: header.readUInt8(at.ifa_prefixlen),
    flags: numberOf(found.get(C.IFA_FLAGS)) ?? header.readUInt8(at.ifa_flags),
    scope: header.readUInt8(at.ifa_scope),
    ...(broadcast && { broadcast: formatIp(broadcast) }),
  };
}

/** undefined for routes that are not ours to move (cached clones, families other than IP). @throws FormatError */
export function decodeRoute(message: NetlinkMessage): Route | undefined {
  const at = OFFSET['struct rtmsg'];
  const header = headerOf(message, C.RTM_NEWROUTE, SIZE['struct rtmsg']);
  const family = header.readUInt8(0);
  if (family !== C.AF_INET && family !== C.AF_INET6) return undefined;
  if ((header.readUInt32LE(at.rtm_flags) & C.RTM_F_CLONED) !== 0) return undefined;
  const found = parseAttributes(message.payload, SIZE['struct rtmsg']);
  const ipOf = (type: number) => {
    const bytes = found.get(type);
    return bytes && formatIp(bytes);
  };
  return {
    family: family === C.AF_INET ? 4 : 6,
    destination: ipOf(C.RTA_DST),
    prefixLength: header.readUInt8(at.rtm_dst_len),
    gateway: ipOf(C.RTA_GATEWAY),
    index: numberOf(found.get(C.RTA_OIF)),
    metric: numberOf(found.get(C.RTA_PRIORITY)),
    preferredSource: ipOf(C.RTA_PREFSRC),
    table: numberOf(found.get(C.RTA_TABLE)) ?? header.readUInt8(at.rtm_table),
    protocol: header.readUInt8(at.rtm_protocol),
    scope: header.readUInt8(at.rtm_scope),
    type: header.readUInt8(at.rtm_type),
  };
}

function linkHeader(index: number, up: boolean | undefined): Buffer {
  const header = Buffer.alloc(SIZE['struct ifinfomsg']);
  header.writeInt32LE(index, OFFSET['struct ifinfomsg'].ifi_index);
  header.writeUInt32LE(up ? C.IFF_UP : 0, OFFSET['struct ifinfomsg'].ifi_flags);
  header.writeUInt32LE(up === undefined ? 0 : C.IFF_UP, OFFSET['struct ifinfomsg'].ifi_change);
  return header;
}

function linkAttributes(change: LinkChange): Attribute[] {
  const attributes: Attribute[] = [];
  if (change.name !== undefined) attributes.push([C.IFLA_IFNAME, interfaceName(change.name)]);
  if (change.mac !== undefined) attributes.push([C.IFLA_ADDRESS, parseMac(change.mac)]);
  if (change.mtu !== undefined) attributes.push([C.IFLA_MTU, change.mtu]);
  if (change.master !== undefined) attributes.push([C.IFLA_MASTER, change.master]);
  return attributes;
}

// dev_valid_name(): 1-15 bytes, no '/', ':' or white space
function interfaceName(name: string): string {
  if (!/^(?!\.{1,2}$)[^/:\s\0]+$/.test(name) || Buffer.byteLength(name) > 15) {
    throw new FormatError('interface name', JSON.stringify(name));
  }
  return name;
}

function encodeAddress(type: number, flags: number, address: Address): Uint8Array {
  const ip = parseIp(address.ip);
  const at = OFFSET['struct ifaddrmsg'];
  const header = Buffer.alloc(SIZE['struct ifaddrmsg']);
  header.writeUInt8(ip.length === 4 ? C.AF_INET : C.AF_INET6, 0);
  header.writeUInt8(checkedPrefix(address.prefixLength, ip), at.ifa_prefixlen);
  header.writeUInt8(address.scope, at.ifa_scope);
  header.writeUInt32LE(address.index, at.ifa_index);
  const attributes: Attribute[] = [
    [C.IFA_LOCAL, ip],
    [C.IFA_ADDRESS, ip],
    [C.IFA_FLAGS, address.flags],
  ];
  if (address.broadcast !== undefined) attributes.push([C.IFA_BROADCAST, parseIp(address.broadcast)]);
  return encodeMessage(type, flags, header, attributes);
}

function encodeRoute(type: number, flags: number, route: Route): Uint8Array {
  const at = OFFSET['struct rtmsg'];
  const header = Buffer.alloc(SIZE['struct rtmsg']);
  header.writeUInt8(route.family === 4 ? C.AF_INET : C.AF_INET6, 0);
  header.writeUInt8(route.prefixLength, at.rtm_dst_len);
  header.writeUInt8(route.table > 255 ? 0 : route.table, at.rtm_table); // larger tables only in RTA_TABLE
  header.writeUInt8(route.protocol, at.rtm_protocol);
  header.writeUInt8(route.scope, at.rtm_scope);
  header.writeUInt8(route.type, at.rtm_type);
  const attributes: Attribute[] = [[C.RTA_TABLE, route.table]];
  if (route.destination !== undefined) attributes.push([C.RTA_DST, parseIp(route.destination)]);
  if (route.gateway !== undefined) attributes.push([C.RTA_GATEWAY, parseIp(route.gateway)]);
  if (route.index !== undefined) attributes.push([C.RTA_OIF, route.index]);
  if (route.metric !== undefined) attributes.push([C.RTA_PRIORITY, route.metric]);
  if (route.preferredSource !== undefined) attributes.push([C.RTA_PREFSRC, parseIp(route.preferredSource)]);
  return encodeMessage(type, flags, header, attributes);
}

function checkedPrefix(prefixLength: number, ip: Uint8Array): number {
  if (Number.isInteger(prefixLength) && prefixLength >= 0 && prefixLength <= ip.length * 8)
    return prefixLength;
  throw new FormatError('IP address', `prefix length ${prefixLength}`);
}

function headerOf(message: NetlinkMessage, type: number, size: number): Buffer {
  if (message.type !== type)
    throw new FormatError('netlink', `message type ${message.type} where ${type} was expected`);
  if (message.payload.length < size) throw new FormatError('netlink', 'truncated message');
  return message.payload;
}
