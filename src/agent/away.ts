// What an OS must not do while it is away from the computer it was started on: sleep, for it would call the firmware of that one, and
// take other disks for its own. Told by files in the memory of the OS: to systemd and to udev (packaging/files/udev.rules).
import { existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OS_ROOT } from '#linux/sysfs.ts';
import { log } from './log.ts';
import { reasonOf, runTool } from './os-tools.ts';

/** While it is there the OS is away; names the units that were switched off for that, one a line. */
const sign = 'run/yado/away';
const unitsOfMemory = 'run/systemd/system';
const sleepUnits = ['sleep', 'suspend', 'hibernate', 'hybrid-sleep', 'suspend-then-hibernate'].map(
  each => `${each}.target`,
);

/** What is done through others, so that a test can stand in. */
export interface Away {
  /** Never throws: an OS that is told nothing may do what it should not, and nothing worse. @returns true when systemd has to read its units anew */
  set(isAway: boolean): boolean;
  readUnitsAnew(): Promise<void>;
}

/** Tells it once and for all: does nothing where it is told already. @returns true when systemd has to read its units anew */
export function setAway(isAway: boolean, root = OS_ROOT): boolean {
  const path = join(root, sign);
  if (existsSync(path) === isAway) return false;
  if (!isAway) {
    const units = readFileSync(path, 'utf8').split('\n').filter(Boolean);
    for (const each of units) rmSync(join(root, unitsOfMemory, each), { force: true });
    rmSync(path);
    return units.length > 0;
  }
  const units = existsSync(join(root, unitsOfMemory)) ? sleepUnits.filter(each => isFree(root, each)) : [];
  writeFileSync(path, units.map(each => `${each}\n`).join('')); // first, or nobody would take away what an agent that dies has made
  for (const each of units) symlinkSync('/dev/null', join(root, unitsOfMemory, each));
  return units.length > 0;
}

/** A person may have switched it off already. */
const isFree = (root: string, unit: string): boolean =>
  lstatSync(join(root, unitsOfMemory, unit), { throwIfNoEntry: false }) === undefined;

export const away: Away = {
  set: isAway => {
    try {
      return setAway(isAway);
    } catch (error) {
      log(`the OS is not told that it is ${isAway ? 'away' : 'at home'}: ${reasonOf(error)}`);
      return false;
    }
  },
  readUnitsAnew: () => runTool(['systemctl', 'daemon-reload']),
};
