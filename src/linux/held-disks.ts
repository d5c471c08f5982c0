// Disks that programs have open by themselves and that do not go with the OS: volumes of virtual machines, databases on bare
// partitions. What lies beneath a stub is left out: whoever looks at that disk may as well see it go.
import { basename } from 'node:path';
import { deviceFile, type OpenFiles, programOf } from '#linux/open-files.ts';
import { isOnDisk, isStub } from '#linux/storage-in-use.ts';
import { listNames, naturalOrder, REAL_ROOT, readText, resolveLink } from '#linux/sysfs.ts';

export interface HeldDisk {
  /** "/dev/dm-3" */
  readonly device: string;
  /** "qemu-system-x86 (pid 812)" */
  readonly programs: readonly string[];
}

export function heldDisksAmong(open: OpenFiles, root = REAL_ROOT): HeldDisk[] {
  const disks = new Set(listNames(root, 'sys/class/block'));
  const beneath = beneathStubs(root);
  const found = new Map<string, Set<string>>();
  for (const [pid, targets] of open) {
    for (const target of targets) {
      const name = deviceFile(target);
      if (name === undefined || !disks.has(name) || beneath.has(name)) continue;
      const device = `/dev/${name}`;
      if (!isOnDisk(device) || isStub(root, device)) continue;
      found.set(device, (found.get(device) ?? new Set()).add(programOf(pid, root)));
    }
  }
  return [...found]
    .toSorted(([a], [b]) => naturalOrder(a, b))
    .map(([device, programs]) => ({ device, programs: [...programs] }));
}

/** What is beneath the stubs, down to whole disks. */
function beneathStubs(root: string): Set<string> {
  const found = new Set<string>();
  const add = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const each of listNames(root, 'sys/class/block', name, 'slaves')) add(each);
    if (readText(root, 'sys/class/block', name, 'partition') === undefined) return;
    const disk = basename((resolveLink(root, 'sys/class/block', name) ?? '').replace(/\/[^/]+$/, ''));
    if (disk !== '') add(disk);
  };
  for (const name of listNames(root, 'sys/class/block'))
    if (/^yado-/.test(readText(root, 'sys/class/block', name, 'dm/name') ?? ''))
      for (const each of listNames(root, 'sys/class/block', name, 'slaves')) add(each);
  return found;
}
