// The printer as programs of the OS see it: /dev/usb/lpN, whose writes go into the spool. It stays the same device
// wherever the OS and the printer are.
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown } from 'node:fs/promises';
import { constants } from 'node:os';
import { C } from '#linux/abi.ts';
import { CuseDevice } from '#linux/cuse-device.ts';
import { takeNodeAway } from '#linux/printer-ports.ts';
import { waitUntil } from '#managers/wait.ts';
import type { Spool } from './spool.ts';
import { encodeDeviceId } from './translate.ts';

const lpGroup = 7; // Debian's group "lp"
const { EBUSY, EFBIG, ENOSPC } = constants.errno;
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
  readonly deviceId: () => string;
  /** True: a job must fit into the spool, for the printer takes it only when it is whole. */
  readonly wholeJobs: boolean;
  /** Programs must reopen the device: it could no longer be served. */
  readonly ended: (error: unknown) => void;
  /** A program got an error that is not its fault. */
  readonly failed: (error: unknown) => void;
}

/** @throws SystemError ENOENT when the module cuse is not loaded */
export async function makeStub(spool: Spool, face: PrinterFace): Promise<PrinterStub> {
  const name = freeName();
  const device = await CuseDevice.serve(
    name,
    {
      ...jobsInto(spool, face.wholeJobs),
      hasRoom: () => spool.hasRoom,
      read: () => new Uint8Array(0),
      ioctl: command => answerIoctl(command, face),
      failed: face.failed,
    },
    face.ended,
  );
  const path = `/dev/${name}`;
  try {
    await waitUntil(path, () => (existsSync(path) ? true : undefined), { timeoutMs: 5000, everyMs: 20 });
    await chown(path, 0, lpGroup);
    await chmod(path, 0o660);
  } catch (error) {
    device[Symbol.dispose]();
    throw error;
  }
  return { path, roomAgain: () => device.roomAgain(), [Symbol.dispose]: () => device[Symbol.dispose]() };
}

/** Like a real port it is for one program at a time, so that jobs do not mix. Exported for its test. */
export function jobsInto(
  spool: Spool,
  wholeJobs: boolean,
): { open(): number; release(): void; write(data: Uint8Array): number } {
  let isOpen = false;
  return {
    open() {
      if (isOpen) return -EBUSY;
      isOpen = true;
      return 0;
    },
    release() {
      isOpen = false;
      spool.endJob();
    },
    write(data) {
      const count = spool.push(data);
      if (count === undefined) return -ENOSPC;
      const mustEndFirst = wholeJobs && spool.endOfJob(spool.firstByte) === undefined;
      return count === 0 && data.length > 0 && mustEndFirst ? -EFBIG : count;
    },
  };
}

/** Exported for its test. */
export function answerIoctl(
  command: number,
  face: Pick<PrinterFace, 'status' | 'deviceId'>,
): Uint8Array | undefined {
  if (command === C.LPGETSTATUS) {
    const status = Buffer.alloc(4);
    status.writeInt32LE(face.status());
    return status;
  }
  if (command === C.LPRESET) return new Uint8Array(0);
  if ((command & ~lengthMask) >>> 0 === getDeviceId)
    return encodeDeviceId(face.deviceId()).subarray(0, (command & lengthMask) >>> 16);
  return undefined;
}

/** A USB printer gives its name away: programs know that one, and what they print past the stub would not move with the OS. */
function freeName(): string {
  const taken = existsSync('/dev/usb') ? readdirSync('/dev/usb') : [];
  for (let number = 0; ; number++) {
    const name = `lp${number}`;
    if (!taken.includes(name) || takeNodeAway(name)) return `usb/${name}`;
  }
}
