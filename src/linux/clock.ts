// Wall clock and random-number generator after an arrival. The restored copy shares its generator's state with
// the copy on the other computer until it is reseeded. The encoders are pure and fit into plans.
import { C, type PreparedIoctl } from '#linux/abi.ts';
import { clockGettime, clockSettime, ioctl, open } from '#linux/ffi.ts';
import { OwnedFd } from '#linux/owned-fd.ts';

/** On /dev/urandom: credits `entropy` as full entropy (struct rand_pool_info, random(4)). */
export function encodeAddEntropy(entropy: Uint8Array): PreparedIoctl {
  const buffer = Buffer.allocUnsafeSlow(8 + entropy.length);
  buffer.writeInt32LE(entropy.length * 8, 0); // bits
  buffer.writeInt32LE(entropy.length, 4);
  buffer.set(entropy, 8);
  return { request: C.RNDADDENTROPY, buffer };
}

/** On /dev/urandom: makes the generator take fresh entropy now. */
export function encodeReseed(): PreparedIoctl {
  return { request: C.RNDRESEEDCRNG, buffer: new Uint8Array(0) };
}

/** Mixes `entropy` (secret, from a source the other copy does not have) in and reseeds. @throws SystemError */
export function reseedRandom(entropy: Uint8Array): void {
  using urandom = new OwnedFd(open('/dev/urandom', C.O_RDWR));
  const add = encodeAddEntropy(entropy);
  ioctl(urandom.fd, add.request, add.buffer, 'add entropy');
  ioctl(urandom.fd, C.RNDRESEEDCRNG, 0, 'reseed random numbers');
}

/** Wall clock, nanoseconds since 1970. */
export function realtimeNs(): bigint {
  return clockGettime(C.CLOCK_REALTIME);
}

/** Steps the wall clock. @throws SystemError */
export function setRealtimeNs(nanoseconds: bigint): void {
  clockSettime(C.CLOCK_REALTIME, nanoseconds);
}

/** Monotonic clock, nanoseconds; stands still while the OS is on its way. */
export function monotonicNs(): bigint {
  return clockGettime(C.CLOCK_MONOTONIC);
}
