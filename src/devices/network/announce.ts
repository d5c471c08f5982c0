// Packets that tell the neighbours where an address is now: gratuitous ARP and unsolicited neighbour advertisement.
// Pure; bytes for a plan. RFC 826 / 5227 and RFC 4861 section 4.4.
import { parseIp, parseMac } from '#linux/ip-address.ts';

const broadcast = Buffer.alloc(6, 0xff);

/** Announces that `ip` is at `mac`; an Ethernet frame. */
export function announcement(ip: string, mac: string): Buffer {
  const address = Buffer.from(parseIp(ip));
  return address.length === 4
    ? gratuitousArp(address, parseMac(mac))
    : neighbourAdvertisement(address, parseMac(mac));
}

function gratuitousArp(ip: Buffer, mac: Uint8Array): Buffer {
  const arp = Buffer.from([0, 1, 8, 0, 6, 4, 0, 1]); // Ethernet, IPv4, request: hosts update on requests most reliably
  return Buffer.concat([broadcast, mac, Buffer.from([0x08, 0x06]), arp, mac, ip, Buffer.alloc(6), ip]);
}

function neighbourAdvertisement(ip: Buffer, mac: Uint8Array): Buffer {
  const allNodes = Buffer.from('ff020000000000000000000000000001', 'hex');
  const body = Buffer.concat([Buffer.from([136, 0, 0, 0, 0x20, 0, 0, 0]), ip, Buffer.from([2, 1]), mac]); // override flag
  const pseudo = Buffer.concat([ip, allNodes, Buffer.from([0, 0, 0, body.length, 0, 0, 0, 58])]);
  body.writeUInt16BE(checksum(Buffer.concat([pseudo, body])), 2);
  const header = Buffer.concat([Buffer.from([0x60, 0, 0, 0, 0, body.length, 58, 255]), ip, allNodes]);
  return Buffer.concat([Buffer.from('333300000001', 'hex'), mac, Buffer.from([0x86, 0xdd]), header, body]);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
