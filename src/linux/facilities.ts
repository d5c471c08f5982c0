// Parts of the kernel that a move or a stub needs, tried out: a device file is opened, a netlink family asked for. Nothing
// is changed by that.
import { join } from 'node:path';
import type { FacilityName } from '#core/os-state.ts';
import { isKexecAllowed } from '#linux/kexec.ts';
import { NbdClient } from '#linux/nbd.ts';
import { openError, REAL_ROOT } from '#linux/sysfs.ts';

/** By name: what is wrong with it, or undefined when it works. */
const probes: Readonly<Record<FacilityName, (root: string) => string | undefined>> = {
  nbd: cannotUseNbd,
  kcore: root => cannotOpen(root, 'proc/kcore') ?? cannotOpen(root, 'proc/kpageflags'),
  kexec: root => (isKexecAllowed(root) ? undefined : 'its kernel may not start another one (kexec)'),
  uinput: root => cannotOpen(root, 'dev/uinput'),
  cuse: root => cannotOpen(root, 'dev/cuse'),
};

export interface LackingFacility {
  readonly facility: FacilityName;
  readonly reason: string;
}

/** What does not work. */
export function readLackingFacilities(root = REAL_ROOT): LackingFacility[] {
  return (Object.keys(probes) as FacilityName[]).flatMap(facility => {
    const reason = probes[facility](root);
    return reason === undefined ? [] : [{ facility, reason }];
  });
}

function cannotOpen(root: string, path: string): string | undefined {
  const code = openError(join(root, path));
  if (code === undefined) return undefined;
  return code === 'ENOENT' ? `there is no /${path}` : `/${path} may not be opened (${code})`;
}

/** The kernel's answer, whatever `root` is. */
function cannotUseNbd(): string | undefined {
  try {
    new NbdClient()[Symbol.dispose]();
    return undefined;
  } catch (error) {
    return `the kernel knows no NBD (${error instanceof Error && 'code' in error ? String(error.code) : 'no answer'})`;
  }
}
