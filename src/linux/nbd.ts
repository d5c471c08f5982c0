// The kernel's NBD client, driven by generic netlink (drivers/block/nbd.c): attach, exchange sockets, detach.
// The handshake has happened already (nbd-handshake.ts). The kernel takes its own reference to each socket;
// the caller keeps its descriptor, and must shut the old one down before reconfigure(): only dead ones are replaced.
import { C } from '#linux/abi.ts';
import { encodeGeneric, genericAttributes, resolveFamily } from '#linux/genetlink.ts';
import { type Attribute, listAttributes, numberOf, parseAttributes } from '#linux/netlink.ts';
import { NetlinkSocket } from '#linux/netlink-socket.ts';
import { FormatError } from '#linux/system-error.ts';

/** `index` N means /dev/nbdN; absent: the kernel chooses. Times in seconds (kernel granularity), 0 = see field. */
export interface NbdConnection {
  readonly index?: number;
  readonly socketFds: readonly number[];
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /** A request unanswered this long marks the socket dead and is sent again. Not 0: then nothing is ever re-sent. */
  readonly timeoutSeconds: number;
  /** How long requests wait for reconfigure() when all sockets are dead; 0 = fail at once with EIO. */
  readonly deadConnectionTimeoutSeconds: number;
  /** Transmission flags as the server gave them (NBD_FLAG_*). */
  readonly serverFlags: number;
  readonly clientFlags?: number;
  /** Shown in sysfs; RECONFIGURE must repeat it. Kernel 5.15 or newer. */
  readonly backendIdentifier?: string;
}

export function encodeNbdConnect(family: number, connection: NbdConnection): Uint8Array {
  const attributes: Attribute[] = [
    [C.NBD_ATTR_SIZE_BYTES, BigInt(connection.sizeBytes)],
    [C.NBD_ATTR_BLOCK_SIZE_BYTES, BigInt(connection.blockSizeBytes)],
    [C.NBD_ATTR_SERVER_FLAGS, BigInt(connection.serverFlags)],
    ...commonAttributes(connection),
  ];
  if (connection.index !== undefined) attributes.unshift([C.NBD_ATTR_INDEX, connection.index]);
  return encodeGeneric(family, C.NBD_CMD_CONNECT, C.NBD_GENL_VERSION, attributes);
}

/** Gives the device new sockets and time limits; its size stays. */
export function encodeNbdReconfigure(
  family: number,
  index: number,
  connection: Omit<NbdConnection, 'index' | 'sizeBytes' | 'blockSizeBytes' | 'serverFlags'>,
): Uint8Array {
  const attributes: Attribute[] = [[C.NBD_ATTR_INDEX, index], ...commonAttributes(connection)];
  return encodeGeneric(family, C.NBD_CMD_RECONFIGURE, C.NBD_GENL_VERSION, attributes);
}

export function encodeNbdDisconnect(family: number, index: number): Uint8Array {
  return encodeGeneric(family, C.NBD_CMD_DISCONNECT, C.NBD_GENL_VERSION, [[C.NBD_ATTR_INDEX, index]]);
}

function commonAttributes(
  connection: Pick<
    NbdConnection,
    'socketFds' | 'timeoutSeconds' | 'deadConnectionTimeoutSeconds' | 'clientFlags' | 'backendIdentifier'
  >,
): Attribute[] {
  const sockets = connection.socketFds.map((fd): Attribute => [C.NBD_SOCK_ITEM, [[C.NBD_SOCK_FD, fd]]]);
  const attributes: Attribute[] = [
    [C.NBD_ATTR_TIMEOUT, BigInt(connection.timeoutSeconds)],
    [C.NBD_ATTR_DEAD_CONN_TIMEOUT, BigInt(connection.deadConnectionTimeoutSeconds)],
    [C.NBD_ATTR_CLIENT_FLAGS, BigInt(connection.clientFlags ?? 0)],
    [C.NBD_ATTR_SOCKETS, sockets],
  ];
  if (connection.backendIdentifier !== undefined) {
    attributes.push([C.NBD_ATTR_BACKEND_IDENTIFIER, connection.backendIdentifier]);
  }
  return attributes;
}

/** index -> connected, from the DEVICE_LIST of a STATUS answer. @throws FormatError */
export function decodeNbdStatus(payload: Uint8Array): Map<number, boolean> {
  const devices = new Map<number, boolean>();
  const list = genericAttributes(payload).get(C.NBD_ATTR_DEVICE_LIST);
  for (const [type, value] of list === undefined ? [] : listAttributes(list)) {
    if (type !== C.NBD_DEVICE_ITEM) continue;
    const item = parseAttributes(value);
    const index = numberOf(item.get(C.NBD_DEVICE_INDEX));
    if (index === undefined) throw new FormatError('netlink', 'NBD device without index');
    devices.set(index, numberOf(item.get(C.NBD_DEVICE_CONNECTED)) === 1);
  }
  return devices;
}

/** The nbd family. The module must be loaded: the constructor throws SystemError ENOENT otherwise. */
export class NbdClient implements Disposable {
  readonly #socket: NetlinkSocket;
  readonly family: number;

  constructor() {
    const socket = new NetlinkSocket(C.NETLINK_GENERIC);
    try {
      this.family = resolveFamily(socket, 'nbd');
    } catch (error) {
      socket[Symbol.dispose]();
      throw error;
    }
    this.#socket = socket;
  }

  /** Attaches and returns N of /dev/nbdN. @throws SystemError EBUSY when that index is in use */
  connect(connection: NbdConnection): number {
    const answers = this.#socket.request(encodeNbdConnect(this.family, connection), 'attach NBD device');
    for (const answer of answers) {
      const index = numberOf(genericAttributes(answer.payload).get(C.NBD_ATTR_INDEX));
      if (index !== undefined) return index;
    }
    throw new FormatError('netlink', 'no device index in the answer to NBD connect');
  }

  /**
   * Gives the device other sockets. While it does not yet know that an old one is dead the kernel takes none and still
   * reports success: what it has taken shows `timeoutSeconds` as its SO_SNDTIMEO (nbd_reconnect_socket).
   */
  reconfigure(index: number, connection: Parameters<typeof encodeNbdReconfigure>[2]): void {
    this.#socket.request(
      encodeNbdReconfigure(this.family, index, connection),
      `reconfigure /dev/nbd${index}`,
    );
  }

  disconnect(index: number): void {
    this.#socket.request(encodeNbdDisconnect(this.family, index), `detach /dev/nbd${index}`);
  }

  /** All NBD devices: index -> connected. */
  status(): Map<number, boolean> {
    const request = encodeGeneric(this.family, C.NBD_CMD_STATUS, C.NBD_GENL_VERSION, []);
    const answers = this.#socket.request(request, 'list NBD devices');
    return new Map(answers.flatMap(answer => [...decodeNbdStatus(answer.payload)]));
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
