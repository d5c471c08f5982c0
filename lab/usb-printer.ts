// A USB printer that can be plugged into a computer, run out of paper, and be pulled out: a device of the USB printer class
// behind QEMU's `usb-redir`. The kernel inside sees it at a real host controller and drives it with usblp.
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Computer } from './computer.ts';
import { connectUnix } from './qmp.ts';
import {
  answerBulk,
  answerControl,
  bulkHeaderBytes,
  decodeControl,
  encodePacket,
  hello,
  type Packet,
  PacketReader,
  packet,
  plugIn,
  type RedirDevice,
  redirStatus,
} from './usb-redir.ts';

const deviceId = 'MFG:Lab;MDL:Paper Printer;CMD:RAW;CLS:PRINTER;SN:1;';
const texts = ['Lab', 'Paper Printer', '1'];
const printerClass = [7, 1, 1] as const; // printer, printer, takes data only
const out = 0x01;
const device: RedirDevice = {
  vendor: 0x1209, // pid.codes, for tests
  product: 0x0001,
  version: 0x0100,
  interfaceClass: printerClass,
  bulkEndpoints: [out],
  packetBytes: 512,
};
/** IEEE 1284 status bits as a USB printer tells them: no error, selected, no paper. */
const status = { ready: 0x18, noPaper: 0x30 } as const;

const two = (value: number): [number, number] => [value & 0xff, value >> 8];
const deviceDescriptor = Buffer.from([
  ...[18, 1, ...two(0x0200), 0, 0, 0, 64],
  ...[...two(device.vendor), ...two(device.product), ...two(device.version), 1, 2, 3, 1],
]);
const configuration = Buffer.from([
  ...[9, 2, ...two(9 + 9 + 7), 1, 1, 0, 0xc0, 0],
  ...[9, 4, 0, 0, 1, ...printerClass, 0],
  ...[7, 5, out, 2, ...two(device.packetBytes), 0],
]);

function textDescriptor(index: number): Buffer | undefined {
  const text = index === 0 ? Buffer.from(two(0x0409)) : Buffer.from(texts[index - 1] ?? '', 'utf16le');
  return index > texts.length ? undefined : Buffer.concat([Buffer.from([text.length + 2, 3]), text]);
}

const descriptors: Readonly<Record<number, (index: number) => Buffer | undefined>> = {
  1: () => deviceDescriptor,
  2: () => configuration,
  3: textDescriptor,
};

export class UsbPrinter {
  readonly #path: string;
  #socket: Socket | undefined;
  #paper: Buffer[] = [];
  /** In bytes; the transfer that goes beyond is still printed. */
  #paperLeft = Number.POSITIVE_INFINITY;
  /** Transfers that the printer has not taken yet. */
  #waiting: Packet[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** All that has been printed. */
  get paper(): Buffer {
    return Buffer.concat(this.#paper);
  }

  async plugIn(): Promise<void> {
    const reader = new PacketReader();
    const socket = await connectUnix(this.#path);
    this.#socket = socket;
    socket.on('error', () => {}); // the computer was switched off
    socket.on('data', (bytes: Buffer) => {
      for (const each of reader.push(bytes)) this.#take(each);
    });
  }

  /** Pulls the plug; what it had not taken is lost on the way. */
  unplug(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#waiting = [];
  }

  /** Without paper it takes nothing and says so; given some again it goes on where it was. */
  load(bytes = Number.POSITIVE_INFINITY): void {
    this.#paperLeft = bytes;
    for (const each of this.#waiting.splice(0)) this.#printOrWait(each);
  }

  #send(bytes: Buffer): void {
    this.#socket?.write(bytes);
  }

  #take(got: Packet): void {
    const { type, id, body } = got;
    if (type === packet.hello) this.#send(Buffer.concat([hello('lab'), plugIn(device)]));
    else if (type === packet.control) this.#send(answerControl(got, this.#control(got)));
    else if (type === packet.bulk) this.#printOrWait(got);
    else if (type === packet.setConfiguration || type === packet.getConfiguration)
      this.#send(encodePacket(packet.configurationStatus, id, Buffer.from([redirStatus.success, 1])));
    else if (type === packet.setAltSetting || type === packet.getAltSetting)
      this.#send(
        encodePacket(packet.altSettingStatus, id, Buffer.from([redirStatus.success, body[0] ?? 0, 0])),
      );
    else if (type === packet.cancel) this.#cancel(id);
  }

  #printOrWait(got: Packet): void {
    if (this.#paperLeft <= 0) {
      this.#waiting.push(got);
      return;
    }
    const bytes = Buffer.from(got.body.subarray(bulkHeaderBytes));
    this.#paperLeft -= bytes.length;
    this.#paper.push(bytes);
    this.#send(answerBulk(got, redirStatus.success));
  }

  #cancel(id: bigint): void {
    const at = this.#waiting.findIndex(each => each.id === id);
    const [cancelled] = at < 0 ? [] : this.#waiting.splice(at, 1);
    if (cancelled) this.#send(answerBulk(cancelled, redirStatus.cancelled));
  }

  /** The standard requests for descriptors, and the three of the printer class. */
  #control({ body }: Packet): Buffer | undefined {
    const { requestType, request, value } = decodeControl(body);
    if (requestType === 0x80 && request === 6) return descriptors[value >> 8]?.(value & 0xff);
    if (requestType === 0x80 && request === 0) return Buffer.from([1, 0]); // it has its own power
    if (requestType === 0xa1 && request === 0) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(2 + deviceId.length);
      return Buffer.concat([length, Buffer.from(deviceId)]);
    }
    if (requestType === 0xa1 && request === 1)
      return Buffer.from([this.#paperLeft > 0 ? status.ready : status.noPaper]);
    if ((requestType & 0x80) === 0) return Buffer.alloc(0); // a reset of the printer, a cleared halt
    return undefined;
  }
}

/** A port for a USB printer at a computer that is on, and the printer, not plugged in yet. `dir`: for the socket. */
export async function usbPrinterAt(computer: Computer, dir: string): Promise<UsbPrinter> {
  const path = join(dir, `${computer.name}.usb`);
  await computer.monitor(`chardev-add socket,id=usbprinter,path=${path},server=on,wait=off`);
  await computer.monitor('device_add qemu-xhci,id=usb,addr=8');
  await computer.monitor('device_add usb-redir,chardev=usbprinter,id=usbprinter,bus=usb.0');
  return new UsbPrinter(path);
}
