// Generic netlink: message framing and finding a family's number. The encoders are pure.
import { C, SIZE } from '#linux/abi.ts';
import { type Attribute, encodeMessage, numberOf, parseAttributes } from '#linux/netlink.ts';
import type { NetlinkSocket } from '#linux/netlink-socket.ts';
import { FormatError } from '#linux/system-error.ts';

/** A request to family number `family`. */
export function encodeGeneric(
  family: number,
  command: number,
  version: number,
  attributes: readonly Attribute[],
  flags = 0,
): Uint8Array {
  return encodeMessage(family, flags, Uint8Array.of(command, version, 0, 0), attributes);
}

/** Attributes of a generic answer. @throws FormatError */
export function genericAttributes(payload: Uint8Array): Map<number, Buffer> {
  if (payload.length < SIZE['struct genlmsghdr'])
    throw new FormatError('netlink', 'truncated generic header');
  return parseAttributes(payload, SIZE['struct genlmsghdr']);
}

/** The number of family `name` ('nbd'). @throws SystemError ENOENT when its module is not loaded */
export function resolveFamily(socket: NetlinkSocket, name: string): number {
  const request = encodeGeneric(C.GENL_ID_CTRL, C.CTRL_CMD_GETFAMILY, 1, [[C.CTRL_ATTR_FAMILY_NAME, name]]);
  for (const answer of socket.request(request, `find netlink family ${name}`)) {
    const family = numberOf(genericAttributes(answer.payload).get(C.CTRL_ATTR_FAMILY_ID));
    if (family !== undefined) return family;
  }
  throw new FormatError('netlink', `no number in the answer about family ${name}`);
}
