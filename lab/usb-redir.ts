// The usbredir protocol, as far as a device of few endpoints needs it: how QEMU's `usb-redir` talks with whoever has the real
// device (protocol description of the usbredir project, version 0.7). Little endian. Pure.

export const packet = {
  hello: 0,
  deviceConnect: 1,
  interfaceInfo: 4,
  endpointInfo: 5,
  setConfiguration: 6,
  getConfiguration: 7,
  configurationStatus: 8,
  setAltSetting: 9,
  getAltSetting: 10,
  altSettingStatus: 11,
  cancel: 21,
  control: 100,
  bulk: 101,
} as const;

export const redirStatus = { success: 0, cancelled: 1, stall: 4 } as const;

/** What QEMU's xhci wants of us: a version and sizes are told, ids have 64 bits in all packets behind the hello. */
const capabilities = (1 << 1) | (1 << 4) | (1 << 5);
const helloHeaderBytes = 12;
const headerBytes = 16;
const helloBytes = 64;
/** Endpoints 0 to 15 out, then in. */
const endpointSlots = 32;
const none = 255;
const highSpeed = 2;
const bulkType = 2;

export interface Packet {
  readonly type: number;
  readonly id: bigint;
  readonly body: Buffer;
}

export function encodePacket(type: number, id: bigint, body: Buffer): Buffer {
  const header = Buffer.alloc(type === packet.hello ? helloHeaderBytes : headerBytes);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(body.length, 4);
  if (type !== packet.hello) header.writeBigUInt64LE(id, 8);
  return Buffer.concat([header, body]);
}

/** Cuts a stream into packets, the first of which is a hello. */
export class PacketReader {
  #rest: Buffer = Buffer.alloc(0);
  #greeted = false;

  push(bytes: Buffer): Packet[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const packets: Packet[] = [];
    for (;;) {
      const start = this.#greeted ? headerBytes : helloHeaderBytes;
      const end = this.#rest.length < start ? Number.POSITIVE_INFINITY : start + this.#rest.readUInt32LE(4);
      if (this.#rest.length < end) return packets;
      const id = this.#greeted ? this.#rest.readBigUInt64LE(8) : 0n;
      packets.push({ type: this.#rest.readUInt32LE(0), id, body: this.#rest.subarray(start, end) });
      this.#rest = this.#rest.subarray(end);
      this.#greeted = true;
    }
  }
}

export function hello(name: string): Buffer {
  const body = Buffer.alloc(helloBytes + 4);
  body.write(name, 'latin1');
  body.writeUInt32LE(capabilities, helloBytes);
  return encodePacket(packet.hello, 0n, body);
}

/** A device at high speed with one interface and its bulk endpoints. */
export interface RedirDevice {
  readonly vendor: number;
  readonly product: number;
  readonly version: number;
  readonly interfaceClass: readonly [number, number, number];
  /** Addresses of the bulk endpoints, 0x80 for those that go in. */
  readonly bulkEndpoints: readonly number[];
  readonly packetBytes: number;
}

/** What tells QEMU that a device has been plugged in. */
export function plugIn(device: RedirDevice): Buffer {
  const interfaces = Buffer.alloc(4 + 4 * endpointSlots);
  interfaces.writeUInt32LE(1, 0);
  for (const [index, value] of device.interfaceClass.entries())
    interfaces[4 + (index + 1) * endpointSlots] = value;
  const endpoints = Buffer.alloc(5 * endpointSlots);
  endpoints.fill(none, 0, endpointSlots);
  const isControl = [0, endpointSlots / 2];
  for (const slot of isControl) {
    endpoints[slot] = 0;
    endpoints.writeUInt16LE(64, 3 * endpointSlots + 2 * slot);
  }
  for (const address of device.bulkEndpoints) {
    const slot = ((address & 0x80) >> 3) | (address & 0x0f);
    endpoints[slot] = bulkType;
    endpoints.writeUInt16LE(device.packetBytes, 3 * endpointSlots + 2 * slot);
  }
  const connect = Buffer.alloc(10);
  connect[0] = highSpeed;
  connect.writeUInt16LE(device.vendor, 4);
  connect.writeUInt16LE(device.product, 6);
  connect.writeUInt16LE(device.version, 8);
  return Buffer.concat([
    encodePacket(packet.interfaceInfo, 0n, interfaces),
    encodePacket(packet.endpointInfo, 0n, endpoints),
    encodePacket(packet.deviceConnect, 0n, connect),
  ]);
}

/** A control transfer: the eight bytes of its setup in another order, and what follows it out of the computer. */
export interface ControlRequest {
  readonly request: number;
  readonly requestType: number;
  readonly value: number;
  readonly length: number;
}

export function decodeControl(body: Buffer): ControlRequest {
  return {
    request: body.readUInt8(1),
    requestType: body.readUInt8(2),
    value: body.readUInt16LE(4),
    length: body.readUInt16LE(8),
  };
}

/** Answers a control transfer with `data`, cut to what was asked for; undefined: the device does not know the request. */
export function answerControl({ id, body }: Packet, data: Buffer | undefined): Buffer {
  const header = Buffer.from(body.subarray(0, 10));
  const sent = data?.subarray(0, header.readUInt16LE(8)) ?? Buffer.alloc(0);
  header[3] = data === undefined ? redirStatus.stall : redirStatus.success;
  header.writeUInt16LE(sent.length, 8);
  return encodePacket(packet.control, id, Buffer.concat([header, sent]));
}

export const bulkHeaderBytes = 8;

/** Answers a bulk transfer out of the computer: all of it was taken, or none. */
export function answerBulk({ id, body }: Packet, status: number): Buffer {
  const header = Buffer.from(body.subarray(0, bulkHeaderBytes));
  header[1] = status;
  if (status !== redirStatus.success) header.writeUInt16LE(0, 2);
  return encodePacket(packet.bulk, id, header);
}
