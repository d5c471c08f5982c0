// The role `ghost`: on the computer an OS has just left, in its old kernel, whose user space is frozen for ever. Finds
// the devices again, serves them to the OS, and becomes a standby by kexec when asked.
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import * as v from 'valibot';
import { asYadoError, yadoError } from '#core/errors.ts';
import type { ComputerKeys } from '#core/pins.ts';
import { consolesToCard, consoleToText, giveCardsFramebuffers } from '#devices/display/console.ts';
import { keysArchive } from '#linux/cpio.ts';
import { endComputer, kexecJump, kexecLoad } from '#linux/kexec.ts';
import { LinkClient } from '#linux/link-client.ts';
import { forbidSwap } from '#linux/no-swap.ts';
import { scanPci } from '#linux/pci-scan.ts';
import { freeImage } from '#linux/power.ts';
import { readText } from '#linux/sysfs.ts';
import { loadServices } from '#managers/service-list.ts';
import { claimPort, controlPort, type HomeEnding } from '#wire/control.ts';
import { encodeFrame, FrameReader } from '#wire/frame.ts';
import { frameTypes, maxTextBytes } from '#wire/frames.ts';
import { ClaimDesk, grantOf } from './claim-desk.ts';
import { ComputerKeyring } from './computer-keys.ts';
import { ControlServer } from './control-server.ts';
import { deviceHandlers } from './device-handlers.ts';
import { armedFaults, FaultPoints } from './faults.ts';
import { type GhostState, ghostStateSchema } from './ghost-state.ts';
import { DevicesLeft, leftParameter } from './left-behind.ts';
import { LentDevices } from './lent-devices.ts';
import { log } from './log.ts';
import { bar, show } from './screen.ts';
import { standbyWords } from './standby-words.ts';
import { farewellWaits, lentQuietMs } from './timeouts.ts';

/** Where the helper leaves the snapshot device open for us: see start_ghost() in native/frozen/source.c. */
const snapshotFd = 4;
/** A ghost that serves nothing stays this long after it has heard that the OS is alive. */
const idleMs = 2000;

/** @param told a GhostState. @throws ValiError when it is none */
export async function runGhost(told: unknown): Promise<void> {
  const services = await loadServices();
  const state = v.parse(ghostStateSchema(services), told);
  const { computer, osId, epoch, target } = state;
  const faults = new FaultPoints(armedFaults());
  await faults.at('ghost.start');
  const helper = new Socket({ fd: Number(process.env.YADO_HELPER_FD) });
  const keyring = new ComputerKeyring();
  const left = new DevicesLeft(state, computer, state.cipher, services, point => faults.at(point));
  const reader = new FrameReader(4096);
  let granted = false;
  let claimKey = new Uint8Array(0);
  let alive = false;
  let isResting = false;
  // What drivers there are the OS has loaded; its modules lie on a disk that is no longer to be read.
  const lent = new LentDevices(
    computer.name,
    lentQuietMs(),
    async () => {},
    () => {},
    services,
  );
  giveCardsFramebuffers(true);
  const rescanned = scanPci(({ address }) => !state.withoutDriver.includes(address)).then(() =>
    log('devices found again'),
  );
  rescanned.catch((error: Error) => log(`devices are not found again: ${error.message}`));
  // What the OS had on its consoles was on its stub, which nobody shows here any more.
  void rescanned
    .then(() => consolesToCard(AbortSignal.timeout(60_000)))
    .catch((error: Error) => log(`no words on the screen: ${error.message}`));

  helper.on('data', (chunk: Buffer) => {
    for (const { type, payload } of reader.push(chunk)) {
      if (type === frameTypes.progress.number) {
        show(computer.name, [
          `${osId} is going to ${target.name}`,
          '',
          bar(Number(payload.readBigUInt64LE(0)), Number(payload.readBigUInt64LE(8))),
        ]);
      }
      if (type === frameTypes.mark.number) void mark(payload);
      if (type !== frameTypes.granted.number || granted) continue;
      granted = true;
      forbidSwap(); // this OS never runs here again
      claimKey = Uint8Array.from(payload);
      void serve().catch((error: Error) => log(`cannot serve: ${error.message}`));
    }
  });
  helper.on('error', error => log(`helper: ${error.message}`));
  helper.on('close', () => {
    // Nobody was granted the OS: with us the last hold on it goes, and the kernel thaws it here.
    if (!granted) process.exit(1);
    log('the helper has died: its grant is repeated here');
    const now = (): bigint => BigInt(Date.now()) * 1_000_000n;
    new ClaimDesk(grantOf(claimKey, epoch, now), from => `repeated the grant to ${from}`)
      .open(computer.address, claimPort)
      .catch((error: Error) => log(`claims are not answered: ${error.message}`));
  });

  /** A cold start of this computer must not run what is about to be granted; the helper grants nothing before it is told. */
  async function mark(key: Buffer): Promise<void> {
    const began = performance.now();
    try {
      await faults.at('ghost.mark');
      await rescanned.catch(() => {});
      if (!left.isHere) release(); // what hangs at USB or in a card reader is looked for by threads that stand still as yet
      const { nic } = state;
      const move = { epoch, to: target, key: Uint8Array.from(key) };
      await left.markLeaving({ ...(nic !== undefined && { nic }), move });
      helper.write(encodeFrame(frameTypes.marked.number, 0n));
      log(`what is left here is marked, ${Math.round(performance.now() - began)} ms after that was asked`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log(`what is left here cannot be marked: ${reason}`);
      const text = Buffer.from(reason).subarray(0, maxTextBytes - 1);
      helper.write(encodeFrame(frameTypes.unmarked.number, 0n, text));
    }
  }

  /** Only a granted OS may write to the disk: until then it is still this computer's. */
  async function serve(): Promise<void> {
    await rescanned.catch(() => {}); // what is not there yet is tried again when the OS asks
    await left.serve();
    consoleToText();
    show(computer.name, [
      `${osId} is now at ${target.name}`,
      '',
      `serving   ${left.names.join(', ') || 'nothing'}`,
      '',
      'leave this computer switched on while its devices are needed',
    ]);
  }

  /** From GO on nobody needs this kernel's image any more; its threads may go on. */
  function release(): void {
    if (!helper.destroyed) return void helper.write(encodeFrame(frameTypes.release.number, 0n));
    try {
      freeImage(snapshotFd); // the helper has died
    } catch (error) {
      log(asYadoError(error, computer.name).message);
    }
  }

  /** Whoever is answered in the epoch of the OS or a later one is the OS: it is alive. */
  function heard(): void {
    if (!granted) return;
    if (!alive) {
      alive = true;
      release();
    }
    if (left.names.length > 0 || isResting) return;
    isResting = true;
    setTimeout(rest, idleMs);
  }

  let leaving: Promise<void> | undefined;
  /** Once: asked again while it is under way, it is the same. */
  function leave(): Promise<void> {
    leaving ??= becomeStandby(state, left, keyring.keys, () => {
      leaving = undefined;
    }).catch(error => {
      leaving = undefined;
      throw error;
    });
    return leaving;
  }

  let ending: NodeJS.Timeout | undefined;
  /** The OS has ended elsewhere, and is not started from here. */
  async function serveNoMore(): Promise<void> {
    log(`${osId} has ended: nothing is served any more`);
    show(computer.name, [`${osId} has ended`, '', 'this computer may be switched off']);
    try {
      await left.end();
    } finally {
      ending = undefined;
      rest();
    }
  }

  /** The OS has ended elsewhere: its disk is that of this computer again. */
  async function end(how: HomeEnding): Promise<void> {
    const fate =
      how === 'restart' ? 'this computer restarts, and starts it' : 'this computer switches itself off';
    log(`${osId} has ended: ${fate}`);
    show(computer.name, [`${osId} has ended`, '', fate]);
    try {
      await left.stop();
      left.unmark();
      endComputer(how);
    } catch (error) {
      const { message } = asYadoError(error, computer.name);
      log(message);
      show(computer.name, [
        `${osId} has ended, but cannot be started here: ${message}`,
        '',
        'switch this computer off and on; when it waits for an OS: Alt+F2, and type',
        '    yado resume',
      ]);
    }
  }

  /** Nobody needs this kernel any more: the computer is of more use as a standby. */
  function rest(): void {
    leave().catch((error: Error) => log(error.message));
  }

  const control = new ControlServer(
    () => computer.name,
    {
      status: () => ({ name: computer.name, role: 'ghost' }),
      ...lent.handlers,
      ...deviceHandlers(left, lent, heard),
      whereIs: () => ({ where: 'here' }), // it was here, and is not lost
      describe: () => {
        throw yadoError('wrongRole', { computer: computer.name, role: 'a ghost', wanted: 'a standby' });
      },
      cancel: (_, asker) => {
        if (asker !== osId) throw yadoError('nothingToCancel', { computer: computer.name });
        helper.write(encodeFrame(frameTypes.cancel.number, 0n));
        return {};
      },
      alive: async request => {
        await faults.at('ghost.alive');
        if (request.osId !== osId || request.epoch < epoch)
          throw yadoError('staleEpoch', {
            device: osId,
            computer: computer.name,
            theirs: request.epoch,
            ours: epoch,
          });
        if (!granted)
          throw yadoError('busy', { computer: computer.name, activity: 'it has not heard of the grant yet' });
        heard();
        return {};
      },
      ended: async ({ epoch: theirs, how }, asker) => {
        if (asker !== osId) {
          if (how === 'stay') return {};
          throw yadoError('nothingToResume', { computer: computer.name });
        }
        left.refuseOlder(theirs);
        if (!granted)
          throw yadoError('busy', { computer: computer.name, activity: 'it has not heard of the grant yet' });
        if (ending) return {};
        heard();
        // A kernel that was started elsewhere may not ask the firmware here, and the disk may be one that others use by now: the
        // standby sees to that.
        if (leaving || (how !== 'stay' && !(state.startedHere && left.startsFromHere))) {
          await leave();
          throw yadoError('busy', { computer: computer.name, activity: 'it starts its standby image' });
        }
        const act = (): Promise<void> => (how === 'stay' ? serveNoMore() : end(how));
        ending = setTimeout(() => {
          act().catch((error: Error) => log(error.message));
        }, farewellWaits().settleMs);
        return {};
      },
      standby: async (_, asker) => {
        left.refuseAnother(asker);
        // Before ALIVE a roll back may still need this kernel: kexec would lose the OS.
        if (!alive)
          throw yadoError('busy', {
            computer: computer.name,
            activity: `it waits until ${osId} is alive at ${target.name}`,
          });
        await leave();
        return {};
      },
    },
    () => keyring.server,
  );
  await control.listen(computer.address, controlPort);
  log(`ghost of ${osId} on ${computer.name}`);
}

/** The kernel tells a card's driver of its end, and some leave the card receiving, into memory that is the next kernel's. */
function changeCards(up: boolean): void {
  using links = new LinkClient();
  for (const each of links.links())
    if (each.kind === undefined && each.up !== up && each.name !== 'lo') links.changeLink(each.index, { up });
}

/** In set-aside memory the next kernel finds it; else it goes with this one. */
const agentOutlastsKexec = (): boolean => readText('/run/yado/memory')?.trim() !== 'tmpfs';

/** Returns when the kernel has taken the standby image, just before the jump; `stayed` is called when that fails. */
async function becomeStandby(
  state: GhostState,
  left: DevicesLeft,
  keys: ComputerKeys,
  stayed: () => void,
): Promise<void> {
  const { computer } = state;
  // The standby image has no agent in it, and would come up with nothing that can serve what is left here.
  if (!agentOutlastsKexec()) throw yadoError('agentWouldBeLost', { computer: computer.name });
  try {
    await left.handOver(); // the standby is told how far they are
    kexecLoad({
      kernelPath: '/standby/vmlinuz',
      initrdPath: '/standby/initrd.img',
      initrdHead: keysArchive(keys), // a kernel's command line is for everyone to read
      cmdline: standbyWords(computer, state.nic, [leftParameter(left.state), ...state.kernelWords]),
    });
  } catch (error) {
    left.goOn();
    throw yadoError(
      'kexecFailed',
      { computer: computer.name, reason: error instanceof Error ? error.message : String(error) },
      error,
    );
  }
  const jump = async (): Promise<void> => {
    await left.stop();
    writeFileSync('/proc/sys/vm/drop_caches', '1');
    try {
      changeCards(false);
      kexecJump();
    } catch (error) {
      changeCards(true);
      throw error;
    }
  };
  setTimeout(() => {
    jump().catch((error: Error) => {
      stayed();
      log(`could not start the standby image: ${error.message}`);
      left.serve().catch((reason: Error) => log(`cannot serve: ${reason.message}`));
    });
  }, 200); // the answer goes out first
}
