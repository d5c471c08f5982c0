// One move as the source runs it: preflight, prepare, the job of the frozen helper, and what follows on whichever
// computer the OS wakes up. `runJob` returns twice in spirit, like fork: on A with "returned", on B with "arrived".
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Capabilities } from '#core/capabilities.ts';
import { fastestCipher } from '#core/ciphers.ts';
import type { Computer } from '#core/computer.ts';
import type { DeviceLocationTable } from '#core/device-location-table.ts';
import type { DeviceStatusTable } from '#core/device-status-table.ts';
import { comesBeforeDisk, heldCardsToRemove } from '#core/device-ways.ts';
import type { DiskPlan } from '#core/disk-wish.ts';
import { type YadoError, yadoError } from '#core/errors.ts';
import { type ImageRoom, imageBytesOf, imageRoom } from '#core/image-room.ts';
import type { ComputerKeys } from '#core/pins.ts';
import type { DowntimeWish } from '#core/precopy.ts';
import { type PreflightResult, preflight, refusal } from '#core/preflight.ts';
import { isForeign } from '#core/same-firmware.ts';
import { hasAddress } from '#devices/network/network.ts';
import { claimKeyOf, moveToken, tlsKeys } from '#linux/channel-keys.ts';
import { readHeldCards } from '#linux/held-cards.ts';
import { encryptSocket } from '#linux/ktls.ts';
import { readMeminfo } from '#linux/meminfo.ts';
import { PAGE_BYTES } from '#linux/memory-map.ts';
import { keepModulesOut, loadModulesOfOs } from '#linux/modules.ts';
import { dropCaches, settingsForMove } from '#linux/power.ts';
import { syncDisks } from '#linux/sync.ts';
import { connectTcp } from '#linux/tcp.ts';
import { ask } from '#managers/control-client.ts';
import type { OsKeys } from '#managers/identity.ts';
import { isPassing, peerOf as peerAt } from '#managers/location-manager.ts';
import type { PreparedMove, StatusManager } from '#managers/status-manager.ts';
import { claimPort } from '#wire/control.ts';
import { maxParkPages, secretBytes } from '#wire/frames.ts';
import { encodeSourceJob } from '#wire/job.ts';
import type { HelperReport } from '#wire/report.ts';
import type { BegunMoves } from './begun-moves.ts';
import { type DiskRequest, mirrorModule, planDisk, type StorageAt } from './disk-plan.ts';
import { neededDrivers } from './drivers.ts';
import { armedFaults } from './faults.ts';
import { firmwareOf, readAhead, thoseWithFirmware } from './firmware.ts';
import type { GhostState } from './ghost-state.ts';
import { startHelper } from './helper.ts';
import { log } from './log.ts';
import { giveUpEdge } from './memory-edge.ts';
import { ownFiles } from './own-files.ts';
import { memoryToCopy, type PreCopyProgress, rounds, StandsTooLong } from './pre-copy.ts';
import { makeRoomForImage, withRoom } from './room-for-image.ts';
import { kexecWords } from './standby-words.ts';
import type { SwapFiles } from './swap-files.ts';
import { sourceTimeouts, sourceWaits, syncWaits } from './timeouts.ts';

export interface MoveRequest {
  /** Of no other move of the OS while it runs. */
  readonly id: string;
  readonly osId: string;
  readonly epoch: number;
  readonly keys: OsKeys;
  readonly here: Computer;
  /** Whether the kernel was started on `here`, not brought there. */
  readonly startedHere: boolean;
  readonly target: Computer;
  readonly acceptRisks: readonly string[];
  /** Whether memory is copied ahead while the OS runs. */
  readonly preCopy: boolean;
  /** How long the OS may stand still; undefined: as long as it takes. */
  readonly wish?: DowntimeWish | undefined;
  /** What a person wants of the disk; undefined: it stays where it is. */
  readonly disk?: DiskRequest | undefined;
  readonly signal: AbortSignal;
}

export interface CheckedMove {
  /** When the disk is not to stay where it is. */
  readonly disk: DiskPlan | undefined;
  readonly source: Capabilities;
  readonly target: Capabilities;
  readonly checks: PreflightResult;
  readonly prepared: PreparedMove;
  readonly load: readonly string[];
  /** Modules that must not be loaded at the target. */
  readonly leaveOut: readonly string[];
  readonly room: ImageRoom;
  readonly cardModules: readonly string[];
}

const peerOf = (request: MoveRequest) => peerAt(request, request.target);

/**
 * A target that the OS has left before is a ghost, or on the way from there to a standby, and away meanwhile. A ghost is told
 * to become a standby; either is waited for. True when it was: whoever was connected to it is no more. `hasJustLeft`: so
 * short a time ago that it may be on the way.
 * @throws YadoError what the ghost answered, `unreachable` when nothing is known of it, or `phaseTimeout`
 */
export async function wakeTarget(request: MoveRequest, hasJustLeft = false): Promise<boolean> {
  const { here, target, signal } = request;
  const peer = peerOf(request);
  const { standbyMs } = sourceWaits();
  const end = performance.now() + standbyMs;
  let isOnTheWay = hasJustLeft;
  let waited = false;
  for (let asked = false; ; await sleep(300, undefined, { signal })) {
    try {
      const { role } = await ask(peer, 'status', {}, { timeoutMs: 8000, signal });
      if (role !== 'ghost') return waited;
      isOnTheWay = true;
      // Just left, it answers that it is busy until it has heard that the OS is alive.
      if (!asked) await ask(peer, 'standby', {}, { timeoutMs: standbyMs, signal });
      asked = true;
    } catch (error) {
      signal.throwIfAborted();
      if (!isOnTheWay || !isPassing(error)) throw error;
    }
    waited = true;
    if (performance.now() > end) {
      throw yadoError('phaseTimeout', {
        computer: target.name,
        seconds: Math.round(standbyMs / 1000),
        phase: 'starting its standby image',
        source: here.name,
      });
    }
  }
}

/** Phase 1: asks the target what it is, compares, decides ways and plans. Changes nothing. */
export async function checkMove(
  request: MoveRequest,
  manager: StatusManager,
  gather: () => Promise<Capabilities>,
  tables: { status: DeviceStatusTable; locations: DeviceLocationTable; storage?: StorageAt | undefined },
): Promise<CheckedMove> {
  // First: when drivers were loaded there for it, what the target says of its cards is another thing.
  const disk = await planDisk(request, tables.storage);
  const { capabilities: target } = await ask(
    peerOf(request),
    'describe',
    {},
    { timeoutMs: sourceWaits().describeMs, signal: request.signal },
  );
  const source = await gather();
  const { load, missing, lasting, cardModules } = await neededDrivers(source, target);
  const room = imageRoom(source);
  const prepared = withRoom(
    room,
    manager.prepare(request.osId, request.epoch, source, target, tables.status, tables.locations),
  );
  const checks = preflight(source, target, {
    acceptRisks: request.acceptRisks,
    missingDrivers: missing,
    lastingDrivers: lasting,
    ways: prepared.ways,
    disk,
  });
  const modules = disk?.mode === 'follow' ? [...load, mirrorModule] : load;
  const leaveOut = [...new Set(lasting.map(each => each.module))];
  return { source, target, checks, prepared, load: modules, leaveOut, cardModules, room, disk };
}

/** Refuses by name what cannot move. */
export function refuseUnfit({ here, target }: MoveRequest, { checks }: CheckedMove): void {
  const refused = refusal(here.name, target.name, checks);
  if (refused) throw refused;
}

/** So much more page cache than at the beginning is dropped before the freeze; less is not worth what dropping changes. */
const grownBytes = 64 * 2 ** 20;

/** The kernel's freeze writes out everything first, without a limit: it must find little to write. */
async function written({ here, signal }: MoveRequest, limitMs: number): Promise<void> {
  if (!(await syncDisks(limitMs, signal)))
    throw yadoError('disksBehind', { computer: here.name, seconds: Math.round(limitMs / 1000) });
}

/** Who is told how the job goes on. */
export interface JobListeners {
  /** The keys of the target, for when the OS is there. */
  readonly keys: (keys: ComputerKeys) => void;
  /** Bytes that are swapped out, and that are to be. */
  readonly swapping: (done: number, total: number) => void;
  readonly preCopy: (progress: PreCopyProgress) => void;
  /** Memory is copied ahead: programs of the user may still say no. */
  readonly copied: () => Promise<void>;
  /** Before it is called nothing has been stopped. */
  readonly freezing: () => Promise<void>;
}

/** Phases 2 to 8 up to the thaw. */
export async function runJob(
  request: MoveRequest,
  move: CheckedMove,
  begun: BegunMoves,
  swaps: Pick<SwapFiles, 'make'>,
  { keys: told, swapping, preCopy, copied, freezing }: JobListeners,
): Promise<HelperReport> {
  const { here, target, osId, epoch, signal } = request;
  await keepModulesOut(move.leaveOut);
  if (move.leaveOut.length > 0) log(`kept out until the OS is started anew: ${move.leaveOut.join(', ')}`);
  await loadModulesOfOs(move.load);
  const { removed } = move.prepared;
  const card = move.source.nic?.pciAddress;
  const gone = move.source.pci.filter(each => removed.includes(each.address));
  // Both cards are found anew while the OS is frozen: that of the target by the OS, ours by whoever serves what is left here.
  const ours = gone.filter(each => each.address === card).map(each => each.modalias);
  const firmware = ours.length > 0 ? await firmwareOf([...move.cardModules, ...ours]) : [];
  const withoutDriver = await thoseWithFirmware(
    gone.filter(each => each.address !== card && !comesBeforeDisk(each.class)),
  );
  await written(request, syncWaits().firstMs);
  dropCaches(); // what is written can go, what is not stays
  using _ = settingsForMove();
  ownFiles();
  await makeRoomForImage(request, move, swaps, swapping);
  const givenUp = await giveUpEdge(move.source, move.target, signal);
  const cachedBytes = readMeminfo().cached;
  const cipher = fastestCipher(move.source.cipherRates, move.target.cipherRates);
  if (!cipher) throw new Error('preflight lets nobody through whose kernel does not encrypt');
  const secret = randomBytes(secretBytes);
  const usedBytes = imageBytesOf(move.source);
  const imageBytes = Math.round(usedBytes * 1.1);
  const { port, parkBytes, keys, tagSeed } = await ask(
    peerOf(request),
    'prepare',
    {
      osId,
      epoch,
      secret,
      cipher,
      imageBytes,
      kept: keptFunctions(move),
      source: here.name,
      isForeign: isForeign(move.source, move.target),
      sourceAddress: here.address,
    },
    { timeoutMs: 15_000, signal },
  );
  told(keys);
  const behind = [...move.prepared.behind];
  const kernelWords = kexecWords(move.source.rsdp, request.startedHere);
  const nic = move.source.nic?.mac;
  const ghost: GhostState = {
    computer: here,
    osId,
    epoch,
    target,
    behind,
    cipher,
    ...(nic !== undefined && { nic }),
    withoutDriver,
    kernelWords,
    startedHere: request.startedHere,
  };
  const { memory, why } = memoryToCopy(move.source.memory.ramRanges, parkBytes, request.preCopy);
  const claimKey = claimKeyOf(secret);
  await begun.begin({ epoch, key: claimKey });
  const job = encodeSourceJob({
    epoch,
    token: moveToken(secret),
    claimKey,
    pastClaims: begun.all.filter(each => each.epoch !== epoch),
    timeouts: sourceTimeouts(),
    faults: armedFaults(),
    claimAddress: here.address,
    claimPort,
    copyInterface: move.source.nic?.name ?? '',
    copyAddress: target.address,
    ghostArgv: ['/bin/node', '/app/src/agent/main.js', '--role=ghost', `--state=${JSON.stringify(ghost)}`],
    memory,
    tagSeed,
    givenUp,
    parkPages: Math.min(Math.floor(parkBytes / PAGE_BYTES), maxParkPages),
    plans: move.prepared.plans,
  });
  signal.throwIfAborted();
  using stream = await connectTcp({ ip: target.address, port, localIp: here.address }, 5000, signal);
  encryptSocket(stream.fd, tlsKeys(secret, 'image', cipher, 'client'));
  secret.fill(0);
  let frozen = false;
  const { listener, enough } = rounds(
    {
      usedBytes,
      parkBytes,
      wish: request.wish,
      told: preCopy,
      again: () => helper.again(),
      log,
      now,
      later: (ms, work) => void setTimeout(work, ms),
    },
    why,
  );
  const helper = startHelper('source', job, stream.fd, { preCopy: listener });
  const cancel = (): void => helper.cancel();
  // However long it takes, the target does not give up: until the helper is told to freeze it sends a sign of life every second
  // (HEARTBEAT_US of native/frozen/precopy.c), and only behind the last of them the target's `readyMs` begins.
  const ready = async (): Promise<void> => {
    await copied(); // first: it writes, and uses memory and the disk
    await written(request, syncWaits().lastMs);
    if (readMeminfo().cached > cachedBytes + grownBytes) dropCaches(); // B has room for the image that was announced
    await makeRoomForImage(request, move, swaps);
    await readAhead(firmware);
    refuseHeld(request, move);
    await freezing();
  };
  signal.addEventListener('abort', cancel);
  try {
    const stay = async (error: unknown): Promise<never> => {
      helper.cancel();
      await helper.report.catch(() => {}); // it has ended, this way or that
      throw error;
    };
    const ended = await Promise.race([helper.report, enough]).catch(error =>
      error instanceof StandsTooLong ? stay(tooLong(request, error)) : Promise.reject(error),
    );
    if (ended) return ended; // before anything was stopped
    await ready().catch(stay);
    signal.removeEventListener('abort', cancel); // from here on nothing of ours would be heard
    frozen = !signal.aborted;
    if (frozen) helper.freeze();
    return await helper.report;
  } catch (error) {
    if (!frozen) throw error;
    // The helper died, and the kernel thawed the OS by itself: here, or there when it had been granted already. Its card
    // and its addresses are still put aside.
    const isThere = hasAddress(target.address);
    const report = await startHelper(isThere ? 'adopt' : 'back', job, stream.fd).report;
    if (!isThere) throw error;
    log(`the frozen helper died behind the grant: ${error instanceof Error ? error.message : String(error)}`);
    return report;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Once more: programs may have opened a card since, and its driver would wait for them while they stand still. */
function refuseHeld({ here, target }: MoveRequest, move: CheckedMove): void {
  const [held] = heldCardsToRemove(readHeldCards(), move.source, move.target);
  if (!held) return;
  const { device, programs } = held;
  throw yadoError('deviceHeld', {
    source: here.name,
    computer: target.name,
    device,
    programs: programs.slice(0, 4).join(', '),
  });
}

function tooLong({ here, target, wish }: MoveRequest, { downtimeMs, message }: StandsTooLong): YadoError {
  const inSeconds = (ms: number): string => (ms / 1000).toFixed(1);
  return yadoError('downtimeTooLong', {
    source: here.name,
    computer: target.name,
    seconds: inSeconds(downtimeMs),
    most: inSeconds(wish?.maxMs ?? 0),
    reason: message,
  });
}

const now = (): number => performance.now();

/** What the OS has at the source and finds again in the same place at the target. */
function keptFunctions({ source, target, prepared }: CheckedMove): string[] {
  const there = new Set(target.pci.map(each => each.address));
  return source.pci
    .map(each => each.address)
    .filter(address => there.has(address) && !prepared.removed.includes(address));
}

/** Labels of the plan that a reason of the helper belongs to. */
export function labelsFor(reason: HelperReport['reason'], { plans }: PreparedMove): string[] {
  const plan = {
    leave: plans.leave,
    serve: plans.serve,
    arrive: plans.back,
    adopt: plans.adopt,
  }[reason as string];
  return plan?.map(each => each.label) ?? [];
}
