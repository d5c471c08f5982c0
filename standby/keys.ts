// A computer's keys for its standby image: a small archive that is unpacked beside the image, which stays the same for all.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packCpio } from './initrd.ts';

/** Writes the archive to `out`, readable by its owner only; it may stand before the image or behind it. */
export function packKeys(keys: object, out: string): void {
  const folder = `${out}.stage`;
  try {
    mkdirSync(join(folder, 'etc/yadokari'), { recursive: true, mode: 0o755 });
    writeFileSync(join(folder, 'etc/yadokari/computer.json'), JSON.stringify(keys), { mode: 0o600 });
    writeFileSync(out, '', { mode: 0o600 });
    packCpio(folder, out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
