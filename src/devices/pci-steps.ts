// The steps of a plan that look for PCI devices while the OS is frozen. Only these get a driver: of the others one may wait for
// its firmware, which lies on a disk that does not answer then (src/linux/pci-scan.ts).

import { PCI_RESCAN_PATH } from '#linux/pci.ts';
import { PCI_AUTOPROBE_PATH, PCI_PROBE_PATH } from '#linux/pci-scan.ts';
import { type Plan, writeFileStep } from '#wire/plan.ts';

export function scanSteps(addresses: readonly string[], options?: { readonly mayFail: boolean }): Plan {
  const mayFail = { mayFail: true };
  return [
    writeFileStep('leave cards without a driver', PCI_AUTOPROBE_PATH, '0', mayFail),
    writeFileStep('look for PCI devices', PCI_RESCAN_PATH, '1', options),
    ...addresses.map(each => writeFileStep(`give ${each} its driver`, PCI_PROBE_PATH, each, mayFail)),
    writeFileStep('give new cards their drivers', PCI_AUTOPROBE_PATH, '1', mayFail),
  ];
}
