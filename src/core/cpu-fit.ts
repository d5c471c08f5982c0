// Which CPUs of the source the OS cannot have at the target: a kernel that is restored starts its CPUs again by their
// numbers in hardware (APIC ids), and waits 10 s for each that does not answer. Pure.

import type { Capabilities } from './capabilities.ts';

type Hardware = Pick<Capabilities['cpu'], 'count' | 'apicIds'>;

/** Of CPUs at work with these APIC ids, those that `there` has not: by number, or by count where the firmware names none. */
export function cpusMissing(onlineApicIds: readonly number[], there: Hardware): number[] {
  if (there.apicIds.length === 0) return onlineApicIds.slice(there.count);
  return onlineApicIds.filter(id => !there.apicIds.includes(id));
}
