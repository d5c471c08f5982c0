// The printer as programs of the OS see it: /dev/usb/lpN, whose writes go into the spool. It stays the same device
// wherever the OS and the printer are.
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown } from 'node:fs/promises';
import { CuseDevice } from '#linux/cuse-device.ts';
import { waitUntil } from '#managers/wait.ts';
import type { Spool } from './spool.ts';
import { encodeDeviceId } from './translate.ts';

const lpGroup = 7; // Debian's group "lp"
const lpGetStatus = 0x060b; // linux/lp.h
const lpReset = 0x060c;
/** _IOC(_IOC_READ, 'P', 1, length) without the length: GET_DEVICE_ID of drivers/usb/class/usblp.c. */
const getDeviceId = 0x8000_5001;
const lengthMask = 0x3fff_0000;

export interface PrinterStub extends Disposable {
  /** Path of the device. */
  readonly path: string;
  /** Writers that wait are served again. */
  roomAgain(): void;
}

/** What the stub answers: the printer's last known status and its IEEE 1284 device id. */
export interface PrinterFace {
  readonly status: () => number;
  readonly deviceId: string;
  /** Programs must reopen the device: it could no longer be served. */
  readonly ended: (error: unknown) => void;
}

/** @throws SystemError ENOENT when the module cuse is not loaded */
export async function makeStub(spool: Spool, face: PrinterFace): Promise<PrinterStub> {
  const name = freeName();
  const device = await CuseDevice.serve(
    name,
    {
      write: data => spool.push(data),
      hasRoom: () => spool.hasRoom,
      read: () => new Uint8Array(0),
      ioctl: command => answerIoctl(command, face),
    },
    face.ended,
  );
  const path = `/dev/${name}`;
  await waitUntil(path, () => (existsSync(path) ? true : undefined), { timeoutMs: 5000, everyMs: 20 });
  await chown(path, 0, lpGroup);
  await chmod(path, 0o660);
  return { path, roomAgain: () => device.roomAgain(), [Symbol.dispose]: () => device[Symbol.dispose]() };
}

/** Exported for its test. */
export function answerIoctl(
  command: number,
  face: Pick<PrinterFace, 'status' | 'deviceId'>,
): Uint8Array | undefined {
  if (command === lpGetStatus) {
    const status = Buffer.alloc(4);
    status.writeInt32LE(face.status());
    return status;
  }
  if (command === lpReset) return new Uint8Array(0);
  if ((command & ~lengthMask) >>> 0 === getDeviceId)
    return encodeDeviceId(face.deviceId).subarray(0, (command & lengthMask) >>> 16);
  return undefined;
}

function freeName(): string {
  const taken = existsSync('/dev/usb') ? readdirSync('/dev/usb') : [];
  for (let number = 0; ; number++) if (!taken.includes(`lp${number}`)) return `usb/lp${number}`;
}
