// The managers' own drivers for disks: one here (found again by its place, for names change in a PCI rescan), one on
// another computer (the kernel's NBD client on a socket that the kernel encrypts and whose handshake is done here).
import { readFileSync } from 'node:fs';
import type { Cipher } from '#core/ciphers.ts';
import { yadoError } from '#core/errors.ts';
import { C } from '#linux/abi.ts';
import { type BlockDevice, type BlockPlace, describeName, findBlockDevice, nodePath } from '#linux/block.ts';
import { streamOf } from '#linux/byte-stream.ts';
import { tlsKeys } from '#linux/channel-keys.ts';
import { disksCalled } from '#linux/disk-names.ts';
import { getsockoptInt, shutdown } from '#linux/ffi.ts';
import { encryptSocket } from '#linux/ktls.ts';
import { NbdClient } from '#linux/nbd.ts';
import { nbdHandshake } from '#linux/nbd-handshake.ts';
import type { OwnedFd } from '#linux/owned-fd.ts';
import { connectTcp } from '#linux/tcp.ts';
import { waitUntil } from '#managers/wait.ts';
import { diskHelloText } from '#wire/frames.ts';
import { clearMark } from './left-mark.ts';

/** Seconds. A request unanswered that long goes out again on a new socket; programs wait, for as long as it takes. */
const patience = { timeoutSeconds: 30, deadConnectionTimeoutSeconds: 86_400 };

export interface AttachedDisk {
  readonly major: number;
  readonly minor: number;
  readonly sizeBytes: number;
  /** The stub lies on it already. */
  readonly isBeneath?: boolean;
}

/**
/**
 * The disk at `place` on this computer, or wherever the one called `name` is now, when it has a name that does not change;
 * waits for a probe that is still under way. `find`: as what it is needed, by who serves it or by the OS.
 */
export async function attachHere(
  place: BlockPlace,
  find: (place: BlockPlace) => BlockDevice | undefined,
  signal: AbortSignal,
  name?: string,
): Promise<BlockDevice> {
  const { volume, ...hardware } = place;
  const found = (): BlockDevice | undefined => {
    const called = name === undefined ? [] : disksCalled(name, hardware);
    const disk = name === undefined || called.length > 1 ? findBlockDevice(hardware) : called[0];
    return disk?.place && find({ ...disk.place, ...(volume !== undefined && { volume }) });
  };
  const what = `the disk ${name ?? ''} at ${place.pciAddress}`.replace('  ', ' ');
  return waitUntil(what, found, { timeoutMs: 20_000, everyMs: 20, signal });
}

/** The OS runs where its disk is: nothing speaks against starting it from there. */
export function markHome(disk: BlockDevice): void {
  clearMark(nodePath(disk.name));
}

/** Where and as what another computer serves the disk. `localIp`: machine address of this computer. */
export interface RemoteDisk {
  readonly ip: string;
  readonly port: number;
  readonly exportName: string;
  /** Of this one connection; forgotten when it is made. */
  readonly secret: Uint8Array;
  readonly cipher: Cipher;
  readonly localIp: string;
  readonly sizeBytes: number;
}

/**
 * The least that is read or written at once, as on most disks. With more the OS gets errors that it did not get at home: a
 * file system that was made with smaller blocks than that, a program that goes past the page cache, the stub, which begins
 * behind the mark.
 */
const unitBytes = 512;

/** What a client says first. */
export const diskHello: Buffer = Buffer.from(diskHelloText);

/** `socket` undefined: it was made by an agent that is no more, and only the kernel has it still. */
let attached: { index: number; socket: OwnedFd | undefined } | undefined;

/**
 * Attaches an NBD export as a block device. A former attachment is let go once nothing uses it; that of an agent that is no
 * more is given the new connection.
 */
export async function attachThere(disk: RemoteDisk, signal: AbortSignal): Promise<AttachedDisk> {
  if (attached && !attached.socket) {
    await attachAgain(disk, signal);
    return { ...describeNbd(attached.index), isBeneath: true };
  }
  const { socket, transmissionFlags } = await openExport(disk, signal);
  try {
    using nbd = new NbdClient();
    const index = nbd.connect({
      socketFds: [socket.fd],
      sizeBytes: disk.sizeBytes,
      blockSizeBytes: unitBytes,
      serverFlags: transmissionFlags,
      ...patience,
    });
    const former = attached;
    attached = { index, socket };
    if (former) formerAttachments.push(former);
    return describeNbd(index);
  } catch (error) {
    socket[Symbol.dispose]();
    throw error;
  }
}

function describeNbd(index: number): AttachedDisk {
  const { major, minor, sizeBytes } = describeName(`nbd${index}`);
  return { major, minor, sizeBytes };
}

/** True when the attached disk's connection has ended, from whichever side. */
export function isConnectionLost(): boolean {
  if (!attached) return false;
  if (!attached.socket) return true;
  // The first byte of struct tcp_info is the state (include/uapi/linux/tcp.h).
  return (getsockoptInt(attached.socket.fd, C.IPPROTO_TCP, C.TCP_INFO) & 0xff) !== C.TCP_ESTABLISHED;
}

/** Ends the attached disk's connection; requests wait for the next one. */
export function breakConnection(): void {
  if (attached?.socket && !isConnectionLost()) shutdown(attached.socket.fd);
}

/** Gives the attached disk a new connection; requests that wait go out on it. */
export async function attachAgain(disk: RemoteDisk, signal: AbortSignal): Promise<void> {
  const { socket } = await openExport(disk, signal);
  try {
    const old = attached;
    if (!old) throw new Error('no disk is attached');
    breakConnection(); // the kernel replaces only what it knows to be dead; without a socket the server has ended it
    using nbd = new NbdClient();
    await waitUntil(
      'the kernel to take the new connection',
      () => {
        nbd.reconfigure(old.index, { socketFds: [socket.fd], ...patience });
        return isTaken(socket) ? true : undefined;
      },
      { timeoutMs: 5000, everyMs: 50, signal },
    );
    old.socket?.[Symbol.dispose]();
    attached = { index: old.index, socket };
  } catch (error) {
    socket[Symbol.dispose]();
    throw error;
  }
}

/** Whether the NBD client uses the socket: it has then set the time it waits to send. */
const isTaken = (socket: OwnedFd): boolean =>
  getsockoptInt(socket.fd, C.SOL_SOCKET, C.SO_SNDTIMEO) === patience.timeoutSeconds;

async function openExport(disk: RemoteDisk, signal: AbortSignal) {
  const socket = await connectTcp({ ip: disk.ip, port: disk.port, localIp: disk.localIp }, 5000, signal);
  try {
    encryptSocket(socket.fd, tlsKeys(disk.secret, 'disk', disk.cipher, 'client'));
    disk.secret.fill(0);
    const stream = streamOf(socket.fd, 5000, 'NBD handshake', signal);
    await stream.write(diskHello);
    const found = await nbdHandshake(stream, disk.exportName);
    // A disk that it has followed to may be larger.
    if (found.sizeBytes < disk.sizeBytes) {
      throw yadoError('diskUnreachable', {
        device: `${disk.exportName} (too small)`,
        computer: disk.ip,
      });
    }
    return { socket, ...found };
  } catch (error) {
    socket[Symbol.dispose]();
    throw error;
  }
}

const formerAttachments: { index: number; socket: OwnedFd | undefined }[] = [];

/**
 * The stub lies on an attachment ("nbd0") that an agent made that is no more: the kernel keeps it, and with it the requests
 * under way. Another device beneath the stub would not do: the server ends the old connection when a new one comes, and
 * the stub would wait, and this agent with it, for answers that can come only through the old device. Other names are
 * nothing to take over.
 */
export function takeOver(name: string): void {
  const index = /^nbd(\d+)$/.exec(name)?.[1];
  if (index !== undefined) attached = { index: Number(index), socket: undefined };
}

/** Lets go of NBD devices that lie beneath nothing any more (after the stub was given another table). */
export function detachFormer(current: { major: number; minor: number }): void {
  const idle = formerAttachments.splice(0);
  const now = attached;
  if (now && !isNbd(current, now.index)) {
    idle.push(now);
    attached = undefined;
  }
  if (idle.length === 0) return;
  using nbd = new NbdClient();
  for (const { index, socket } of idle) {
    nbd.disconnect(index);
    socket?.[Symbol.dispose]();
  }
}

function isNbd(device: { major: number; minor: number }, index: number): boolean {
  return (
    readFileSync(`/sys/class/block/nbd${index}/dev`, 'utf8').trim() === `${device.major}:${device.minor}`
  );
}
