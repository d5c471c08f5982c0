// The role `farewell`: the last program of an OS that is shut down or restarted away from home, run by systemd-shutdown when
// all others have ended and nothing is mounted for writing (packaging/files/shutdown). Tells the computers that serve the OS
// that it has ended, so that the one it is started from starts it again, or switches itself off as the OS would have done.
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import type { Computer } from '#core/computer.ts';
import { asYadoError, type YadoError } from '#core/errors.ts';
import { DiskMemorySchema } from '#devices/disk/state.ts';
import { writableDisks } from '#linux/mount-info.ts';
import { readSwaps } from '#linux/storage-in-use.ts';
import { REAL_ROOT, readText } from '#linux/sysfs.ts';
import { ask } from '#managers/control-client.ts';
import { isPassing, type OsPlace, peerOf } from '#managers/location-manager.ts';
import type { Ending, HomeEnding } from '#wire/control.ts';
import type { Config } from './config.ts';
import { log } from './log.ts';
import { defaultOsId, Os } from './os.ts';
import { OsKeyring } from './os-keyring.ts';
import { readSavedState, type SavedState } from './saved-state.ts';
import { farewellWaits } from './timeouts.ts';

/** PID 1 once everything else has ended; the kernel keeps 15 characters. Anyone else who runs this would cost the OS its disk. */
const lastOfSystemd = 'systemd-shutdow';

/** By the word systemd-shutdown gives. Another kernel (kexec) is started where the OS is: it has not ended for anyone. */
const endings: Readonly<Record<string, HomeEnding>> = { reboot: 'restart', poweroff: 'off', halt: 'off' };

interface WhoIsTold {
  /** Names of those who serve a device, or still wait to hear of the OS: they need not any more. */
  readonly serving: readonly string[];
  /** Who starts the OS from its disk; undefined when nobody can: the disk has followed, and home has an older state of it. */
  readonly home: string | undefined;
  /** Home does not serve the disk: whoever has it can write to it until the kernel of the OS has ended. */
  readonly isWrittenElsewhere: boolean;
}

export function whoIsTold(
  { locations, unaware, devices }: Pick<SavedState, 'locations' | 'unaware' | 'devices'>,
  here: string,
  home: string,
): WhoIsTold {
  const disk = locations.find(each => each.device === 'disk0')?.computer;
  const memory = v.safeParse(DiskMemorySchema, devices.disk0);
  const { shared, owed = [] } = memory.success ? memory.output : {};
  const starts = (shared ? shared.starts.name : disk) === home ? home : undefined;
  const all = [...locations.map(each => each.computer), ...unaware.map(each => each.name), ...owed];
  // Who has a disk that nobody starts serves it on, until a person decides there.
  const apart = [here, starts ?? disk];
  return {
    serving: [...new Set(all)].filter(name => !apart.includes(name)),
    home: starts === here ? undefined : starts,
    isWrittenElsewhere: disk !== home,
  };
}

/** Asks again while a computer is busy, starts its standby image, or does not answer. @returns why it does not know; undefined when it does */
export async function sayFarewell(
  os: OsPlace,
  there: Computer,
  how: Ending,
  patienceMs: number,
): Promise<YadoError | undefined> {
  const { osId, keys } = os;
  const began = performance.now();
  for (;;) {
    try {
      const request = { osId, epoch: os.epoch(), how };
      await ask(peerOf({ here: os.here(), keys }, there), 'ended', request, { timeoutMs: 3000 });
      return undefined;
    } catch (error) {
      const told = asYadoError(error, there.name);
      if (!isPassing(told) || performance.now() - began > patienceMs) return told;
    }
    await sleep(200);
  }
}

/** @param verb what systemd-shutdown is about to do. Never throws for a computer that is not there */
export async function runFarewell(config: Config, verb: string): Promise<void> {
  process.stdout.on('error', () => {}); // a console that takes no words keeps nobody from hearing it
  const saved = readSavedState();
  const ending = endings[verb];
  if (!saved || readText(REAL_ROOT, 'proc/1/comm') !== lastOfSystemd) return;
  if (!ending) return log(`${verb}: nobody is told`);
  const os = new Os(config, saved, new OsKeyring(config.os?.id ?? defaultOsId, config.computer.name));
  const here = os.here().name;
  const { tellMs, awayMs } = farewellWaits();
  const tell = async (name: string, how: Ending, patienceMs: number): Promise<void> => {
    const there = [...saved.unaware, ...os.computers].find(each => each.name === name);
    const trouble = there && (await sayFarewell(os, there, how, patienceMs));
    if (there && !trouble) return log(`${name} knows that ${os.osId} has ended`);
    const why = trouble?.message ?? 'its address is not known any more';
    log(`${name} does not know that ${os.osId} has ended: ${why} (${whatToType(how, trouble)})`);
  };
  const { serving, home, isWrittenElsewhere } = whoIsTold(saved, here, os.home);
  await Promise.all(serving.map(name => tell(name, 'stay', awayMs)));
  const written = isWrittenElsewhere ? stillWritten() : [];
  if (home !== undefined && written.length === 0) await tell(home, ending, tellMs);
  else if (home !== undefined) log(`${home} is not told: ${written.join(', ')} may still be written to`);
  process.exit(0);
}

const stillWritten = (): string[] => [
  ...writableDisks(),
  ...readSwaps()
    .filter(each => each.kind !== 'memory')
    .map(each => each.path),
];

const whatToType = (how: Ending, trouble: YadoError | undefined): string =>
  how === 'stay' || (trouble && !isPassing(trouble))
    ? (trouble?.hint ?? 'yado status')
    : 'there: switch it off and on, and type: yado resume';
