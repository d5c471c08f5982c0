// The one list of checks before a move, in the order they are told. `yado doctor`, `yado migrate --dry-run` and every move
// go through it. A new check is a new entry in its group; nothing else changes. Pure.

import { agentChecks } from './checks/agent.ts';
import type { PreflightCheck } from './checks/check.ts';
import { cpuChecks } from './checks/cpu.ts';
import { deviceChecks } from './checks/devices.ts';
import { diskChecks } from './checks/disk.ts';
import { kernelChecks } from './checks/kernel.ts';
import { machineChecks } from './checks/machine.ts';
import { memoryChecks } from './checks/memory.ts';
import { networkChecks } from './checks/network.ts';
import { storageChecks } from './checks/storage.ts';

/** By what they look at. */
export const checkGroups: readonly { readonly name: string; readonly checks: readonly PreflightCheck[] }[] = [
  { name: 'Yadokari', checks: agentChecks },
  { name: 'Kernel', checks: kernelChecks },
  { name: 'Memory', checks: memoryChecks },
  { name: 'Processors', checks: cpuChecks },
  { name: 'Clocks, firmware and watchdogs', checks: machineChecks },
  { name: 'Network', checks: networkChecks },
  { name: 'Disks and swap', checks: storageChecks },
  { name: 'Devices and programs', checks: deviceChecks },
  { name: 'A disk that does not stay', checks: diskChecks },
];

export const preflightChecks: readonly PreflightCheck[] = checkGroups.flatMap(group => group.checks);
