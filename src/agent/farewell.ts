// The role `farewell`: the last program of an OS that is shut down or restarted away from home, run by systemd-shutdown when
// all others have ended and nothing is mounted for writing (packaging/files/shutdown). Tells the computers that serve the OS
// that it has ended, so that the one it is started from starts it again, or switches itself off as the OS would have done.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Computer } from '#core/computer.ts';
import { asYadoError } from '#core/errors.ts';
import { REAL_ROOT, readText } from '#linux/sysfs.ts';
import { ask } from '#managers/control-client.ts';
import { isPassing, type OsPlace, peerOf } from '#managers/location-manager.ts';
import type { Ending } from '#wire/control.ts';
import type { Config } from './config.ts';
import { log } from './log.ts';
import { defaultOsId, Os } from './os.ts';
import { OsKeyring } from './os-keyring.ts';
import { readSavedState, type SavedState } from './saved-state.ts';
import { farewellWaits } from './timeouts.ts';

/** PID 1 once everything else has ended; the kernel keeps 15 characters. Anyone else who runs this would cost the OS its disk. */
const lastOfSystemd = 'systemd-shutdow';

/** Of the word systemd-shutdown gives: "reboot", "kexec", "poweroff" or "halt". */
export const endingOf = (verb: string): Ending => (['reboot', 'kexec'].includes(verb) ? 'restart' : 'off');

/** Whoever serves a device or still waits to hear of the OS, and whoever starts it: their names, once each. */
export function whoIsTold(
  { locations, unaware }: Pick<SavedState, 'locations' | 'unaware'>,
  here: string,
  home: string,
): string[] {
  const all = [...locations.map(each => each.computer), ...unaware.map(each => each.name), home];
  return [...new Set(all)].filter(name => name !== here);
}

/**
 * Asks again while a computer is busy, or starts its standby image; one that has not answered at all is not waited for as long.
 * @returns what keeps it from being told; undefined when it knows
 */
export async function sayFarewell(
  os: OsPlace,
  there: Computer,
  how: Ending,
  { tellMs, awayMs }: ReturnType<typeof farewellWaits> = farewellWaits(),
): Promise<string | undefined> {
  const { osId, keys } = os;
  const began = performance.now();
  let patienceMs = awayMs;
  for (;;) {
    try {
      const request = { osId, epoch: os.epoch(), how };
      await ask(peerOf({ here: os.here(), keys }, there), 'ended', request, { timeoutMs: 3000 });
      return undefined;
    } catch (error) {
      const told = asYadoError(error, there.name);
      if (told.family === 'busy') patienceMs = tellMs;
      if (!isPassing(told) || performance.now() - began > patienceMs) return told.message;
    }
    await sleep(200);
  }
}

/** @param verb what systemd-shutdown is about to do. Never throws for a computer that is not there */
export async function runFarewell(config: Config, verb: string): Promise<void> {
  const saved = readSavedState();
  if (!saved || readText(REAL_ROOT, 'proc/1/comm') !== lastOfSystemd) return;
  const os = new Os(config, saved, new OsKeyring(config.os?.id ?? defaultOsId, config.computer.name));
  const tell = async (name: string): Promise<void> => {
    const trouble = await sayFarewell(os, os.computer(name), endingOf(verb));
    log(trouble === undefined ? `${name} knows that ${os.osId} has ended` : notTold(name, os.osId, trouble));
  };
  await Promise.all(whoIsTold(saved, os.here().name, os.home).map(tell));
  process.exit(0);
}

const notTold = (computer: string, osId: string, trouble: string): string =>
  `${computer} does not know that ${osId} has ended: ${trouble} (there: switch it off and on, and type: yado resume)`;
