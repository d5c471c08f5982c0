// Drivers for the target's devices, loaded into the OS while it still has its disk. Runs the OS's own modprobe: the
// agent's root holds none, and no file system of the disk.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Capabilities } from '#core/capabilities.ts';
import { classOfPci, type DeviceClass } from '#core/device-class.ts';
import { lastingDrivers } from '#core/device-ways.ts';
import {
  driverAliases,
  modulesFor,
  readLoadedModules,
  readModuleAliases,
  virtioModalias,
} from '#linux/modules.ts';
import { OS_ROOT } from '#linux/sysfs.ts';

export interface NeededDrivers {
  /** Modaliases of devices whose modules are not yet loaded. */
  readonly load: readonly string[];
  /** Functions of the target that no module of the OS fits. */
  readonly missing: readonly { readonly address: string; readonly modalias: string }[];
  /** Functions of the target whose driver the OS must not take up, and its module. */
  readonly lasting: readonly { readonly address: string; readonly module: string }[];
  /** Modules for the target's network card: it is found while the OS is frozen. */
  readonly cardModules: readonly string[];
}

/** Compares the target's devices of known classes with the modules the OS has. */
export async function neededDrivers(source: Capabilities, target: Capabilities): Promise<NeededDrivers> {
  const aliases = await readModuleAliases(OS_ROOT);
  const builtin = driverAliases(OS_ROOT);
  const loaded = readLoadedModules();
  const load = new Set<string>();
  const missing: { address: string; modalias: string }[] = [];
  const lasting: { address: string; module: string }[] = [];
  const cardModules = new Set<string>();
  const inUse = new Set(source.pci.map(each => each.driver));
  for (const each of target.pci.filter(one => classOfPci(one.class) !== undefined)) {
    const { vendor, device, subsystem } = each;
    const behind = virtioModalias({ vendor, device, subsystemDevice: subsystem.device });
    for (const modalias of behind === undefined ? [each.modalias] : [each.modalias, behind]) {
      const inTables = modulesFor(modalias, aliases);
      const found = inTables.length > 0 ? inTables : modulesFor(modalias, builtin);
      const lasts = found.find(({ module }) => lastingDrivers.includes(module));
      if (lasts) {
        if (!inUse.has(lasts.module)) lasting.push({ address: each.address, module: lasts.module });
        continue;
      }
      if (found.length === 0) missing.push({ address: each.address, modalias });
      if (each.address === target.nic?.pciAddress) for (const { module } of found) cardModules.add(module);
      if (found.some(({ module, builtin }) => !builtin && !loaded.has(module))) load.add(modalias);
    }
  }
  return { load: [...load], missing, lasting, cardModules: [...cardModules] };
}

/** On a standby: the modules for devices of a class, which it does not load by itself (standby/modules.ts). */
export async function loadLendable(deviceClass: DeviceClass): Promise<void> {
  const load = `for name in $(cat /lib/modules/lend-${deviceClass}); do modprobe -q $name; done`;
  await promisify(execFile)('/bin/busybox', ['chroot', OS_ROOT, '/bin/sh', '-c', load]);
}
