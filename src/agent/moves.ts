// The moves of the OS, as its agent has them: one at a time, from the call to what is remembered of it. It is itself part
// of what moves: what was begun on one computer ends on another.
import type { Doctor, DoctorRequest, MigrateRequest } from '#core/api.ts';
import type { Capabilities } from '#core/capabilities.ts';
import type { DiskWish } from '#core/disk-wish.ts';
import type { Downtime } from '#core/downtime.ts';
import { asYadoError, type YadoError, yadoError } from '#core/errors.ts';
import type { HistoryEntry } from '#core/history.ts';
import { inNetworkOf } from '#core/machine-address.ts';
import { mountsThatStay, type SwapThatStays, swapsThatStay } from '#core/os-state.ts';
import type { ComputerKeys } from '#core/pins.ts';
import type { DowntimeWish } from '#core/precopy.ts';
import { inspectAlone } from '#core/preflight.ts';
import type { Phase, Progress } from '#core/progress.ts';
import { isForeign } from '#core/same-firmware.ts';
import { ensureMachineAddress } from '#devices/network/network.ts';
import type { HelperReport } from '#wire/report.ts';
import type { AliveCalls } from './alive.ts';
import { type ApiServer, errorEvent } from './api-server.ts';
import type { Away } from './away.ts';
import type { BegunMoves } from './begun-moves.ts';
import { Cpus } from './cpus.ts';
import { culpritOf } from './culprit.ts';
import { destinyOf } from './disk-plan.ts';
import { Heat } from './heat.ts';
import type { HookEvent, Hooks, HookWords } from './hooks.ts';
import type { LeftMounts } from './left-mounts.ts';
import type { LeftSwaps } from './left-swaps.ts';
import { log } from './log.ts';
import { MoveProgress } from './move-progress.ts';
import { planOf, reportOf } from './move-report.ts';
import type { Os } from './os.ts';
import type { OsDevices } from './os-devices.ts';
import type { OsPorts } from './os-ports.ts';
import { gatherOsState } from './os-state.ts';
import { downtimeFrom, entryOf, outcomeOf } from './outcome.ts';
import { reasonSentence } from './sentences.ts';
import {
  type CheckedMove,
  checkMove,
  labelsFor,
  type MoveRequest,
  refuseUnfit,
  runJob,
  wakeTarget,
} from './source-move.ts';
import type { SwapFiles } from './swap-files.ts';
import { sourceTimeouts, sourceWaits } from './timeouts.ts';

/**
 * Never twice while the OS runs: this clock goes with it, and only forward. Moves that end before the freeze have the same epoch, the
 * history is not kept for ever, and a count of the agent's would begin anew with the next agent.
 */
const sinceBoot = (): string => process.hrtime.bigint().toString(36);

const hookWords = ({ osId, here, target }: MoveRequest): HookWords => ({
  osId,
  source: here.name,
  target: target.name,
});

/** What a move needs of the agent. */
export interface MovingWorld {
  readonly os: Os;
  readonly devices: OsDevices;
  readonly alive: AliveCalls;
  readonly ports: OsPorts;
  readonly begun: BegunMoves;
  readonly swaps: Pick<SwapFiles, 'make' | 'hold' | 'putAway'>;
  readonly leftSwaps: Pick<LeftSwaps, 'off' | 'on' | 'settled'>;
  readonly leftMounts: Pick<LeftMounts, 'off' | 'on' | 'settled'>;
  readonly hooks: Pick<Hooks, 'run' | 'tell' | 'settled'>;
  readonly away: Away;
  /** Where the OS is, its epoch or its history have changed. */
  save(): void;
  readonly emit: ApiServer['emit'];
}

export class Moves {
  readonly #os: Os;
  readonly #devices: OsDevices;
  readonly #alive: AliveCalls;
  readonly #ports: OsPorts;
  readonly #begun: BegunMoves;
  readonly #swaps: MovingWorld['swaps'];
  readonly #leftSwaps: MovingWorld['leftSwaps'];
  readonly #leftMounts: MovingWorld['leftMounts'];
  readonly #hooks: MovingWorld['hooks'];
  readonly #cpus = new Cpus();
  readonly #heat = new Heat();
  readonly #world: Pick<MovingWorld, 'save' | 'emit' | 'away'>;
  /** Move that programs of the user have been asked about. */
  #askedOf = '';
  /** Of the computer the OS is about to go to. */
  #keysThere: ComputerKeys | undefined;
  #move:
    | { readonly request: MoveRequest; readonly shown: MoveProgress; readonly abort: AbortController }
    | undefined;

  constructor(world: MovingWorld) {
    this.#os = world.os;
    this.#devices = world.devices;
    this.#alive = world.alive;
    this.#ports = world.ports;
    this.#begun = world.begun;
    this.#swaps = world.swaps;
    this.#leftSwaps = world.leftSwaps;
    this.#leftMounts = world.leftMounts;
    this.#hooks = world.hooks;
    this.#world = world;
  }

  /** From the call for a move to its end. */
  get isMoving(): boolean {
    return this.#move !== undefined;
  }

  /** Of the move that is under way. */
  get progress(): Progress | undefined {
    return this.#move?.shown.at(performance.now());
  }

  /** For what a move must not be mixed with. */
  whileStill<T>(work: () => T): T {
    if (!this.#move) return work();
    throw yadoError('busy', {
      computer: this.#os.here().name,
      activity: `it is moving the OS to ${this.#move.request.target.name}`,
    });
  }

  /**
   * Begins a move, or says what it would do.
   * @throws YadoError `busy`, `unknownComputer`, `sameComputer`; of a dry run also what the checks find
   */
  async migrate({
    to,
    dryRun,
    acceptRisks,
    preCopy,
    maxDowntimeMs,
    disk,
  }: MigrateRequest): Promise<{ status: number; body: object }> {
    const abort = new AbortController();
    if (maxDowntimeMs !== undefined && preCopy === false)
      throw yadoError('badRequest', { reason: 'a longest downtime cannot be kept with stop-and-copy' });
    const asked = this.#request(to, acceptRisks ?? [], preCopy ?? true, abort.signal);
    const request = { ...asked, wish: this.#wish(maxDowntimeMs), disk: this.#diskRequest(to, disk) };
    if (dryRun) {
      const move = await this.#check(request);
      return { status: 200, body: { ...reportOf(move), plan: planOf(move) } };
    }
    this.#move = { request, shown: new MoveProgress(request, performance.now()), abort };
    const startedAt = new Date().toISOString();
    this.#run(request, startedAt)
      .catch(error => log(`the end of a move: ${asYadoError(error, this.#os.here().name).message}`))
      .finally(() => {
        this.#move = undefined;
      });
    return { status: 202, body: { id: request.id } };
  }

  /**
   * What speaks against a move: seen from here alone, or of a move to another computer. Changes nothing.
   * @throws YadoError `busy`, `unknownComputer`, `sameComputer`, or what the other computer answers
   */
  async doctor({ with: to }: DoctorRequest): Promise<Doctor> {
    const { name: computer } = this.whileStill(() => this.#os.here());
    if (to === undefined) {
      const { checks } = inspectAlone(await this.#capabilities());
      return { computer, role: 'active', checks: [...checks] };
    }
    const move = await this.#check(this.#request(to, [], true, new AbortController().signal));
    return { computer, role: 'active', with: to, ...reportOf(move) };
  }

  #request(to: string, acceptRisks: readonly string[], preCopy: boolean, signal: AbortSignal): MoveRequest {
    const target = this.whileStill(() => this.#os.computer(to));
    if (target.name === this.#os.here().name) throw yadoError('sameComputer', { computer: to });
    return {
      id: `${this.#os.epoch() + 1}-${sinceBoot()}`,
      osId: this.#os.osId,
      epoch: this.#os.epoch() + 1,
      keys: this.#os.keys,
      here: this.#os.here(),
      startedHere: this.#os.isAtHome,
      target,
      acceptRisks,
      preCopy,
      signal,
    };
  }

  #diskRequest(to: string, wish: DiskWish | undefined): MoveRequest['disk'] {
    return wish && { wish, inSettings: this.#os.diskAt(to) };
  }

  /** What it takes besides sending is taken to be as the last time. */
  #wish(maxMs: number | undefined): DowntimeWish | undefined {
    if (maxMs === undefined) return undefined;
    const last = this.#os.history.find(each => each.downtime)?.downtime;
    return { maxMs, restMs: last ? last.total - last.send : 0 };
  }

  /** Not so long ago that it must be a standby by now. */
  #hasJustLeft(name: string): boolean {
    const last = this.#os.history.find(each => each.outcome === 'moved');
    return last?.source === name && Date.now() - Date.parse(last.endedAt) < sourceWaits().standbyMs;
  }

  /** @throws YadoError `nothingToCancel`, or `tooLateToCancel` when the OS is there */
  cancel(): object {
    const { progress } = this;
    if (progress?.phase === 'arrive' || progress?.phase === 'after')
      throw yadoError('tooLateToCancel', { computer: progress.target, source: progress.source });
    if (!this.#move || progress?.phase === 'return')
      throw yadoError('nothingToCancel', { computer: this.#os.here().name });
    this.#move.abort.abort();
    return {};
  }

  #phase(phase: Phase): void {
    this.#show(shown => shown.enter(phase));
  }

  #show(change: (shown: MoveProgress) => void): void {
    if (!this.#move) return;
    change(this.#move.shown);
    this.#world.emit('progress', this.progress);
  }

  async #run(first: MoveRequest, startedAt: string): Promise<void> {
    let request = first;
    let report: HelperReport | undefined;
    try {
      let tried = await this.#try(request);
      if (tried.report.reason === 'freeze' && !request.signal.aborted) {
        // A task can be in the middle of something that it leaves a moment later.
        log(`${culpritOf(tried.report) ?? 'a program'} did not stand still; trying once more`);
        request = { ...request, epoch: this.#os.epoch() + 1 };
        tried = await this.#try(request);
      }
      report = tried.report;
      const { move } = tried;
      log(`helper: ${JSON.stringify(report)}`);
      if (report.outcome !== 'arrived') {
        const { here, target } = request;
        const culprit = culpritOf(report);
        throw reasonSentence(report, {
          source: here.name,
          target: target.name,
          labels: labelsFor(report.reason, move.prepared),
          ...(culprit !== undefined && { culprit }),
          claimSeconds: sourceTimeouts().claimMs / 1000,
          readySeconds: sourceTimeouts().readyMs / 1000,
        });
      }
      const downtime = await this.#arrive(request, move, report);
      this.#finish(request, startedAt, report, { outcome: 'moved', downtime });
    } catch (error) {
      const told = request.signal.aborted
        ? yadoError('cancelled', { computer: request.target.name, source: request.here.name })
        : asYadoError(error, request.here.name);
      const outcome = outcomeOf(told, report);
      this.#finish(request, startedAt, report, { outcome, error: told.toJSON() }, told);
    }
  }

  /** From the checks to what the helper says in the end: on the source after a roll back, else on the target. */
  async #try(request: MoveRequest): Promise<{ move: CheckedMove; report: HelperReport }> {
    this.#phase('preflight');
    this.#alive.tell(); // soon: a ghost that has not heard becomes no standby
    const woken = (await wakeTarget(request, this.#hasJustLeft(request.target.name)))
      ? request.target.name
      : undefined;
    let report: HelperReport | undefined;
    let frozen = false;
    try {
      await this.#devices.ready(woken, request.signal);
      await this.#swaps.hold();
      await this.#back(request.signal);
      await this.#hooks.settled(request.signal); // no program is asked while another still hears of the last move
      let move = await this.#check(request);
      refuseUnfit(request, move);
      await this.#ask('pre-move', request);
      this.#phase('prepare');
      const { swaps = [], mounts = [] } = move.source.os ?? {};
      await this.#leftMounts.off(mountsThatStay(mounts), request.here.name, request.signal);
      const areas = swapsThatStay(swaps);
      if (areas.length > 0) {
        await this.#switchOff(areas, request);
        move = await this.#check(request); // more memory is in use now
        refuseUnfit(request, move);
      }
      await this.#devices.lending.returnAllFrom(request.target.name);
      report = await runJob(request, move, this.#begun, this.#swaps, {
        keys: keys => {
          this.#keysThere = keys;
        },
        swapping: (done, total) => this.#show(shown => shown.swapping(done, total, performance.now())),
        preCopy: round => this.#show(shown => shown.copied(round, performance.now())),
        copied: () => this.#ask('pre-freeze', request),
        freezing: async () => {
          this.#alive.stop();
          await this.#ports.close();
          frozen = true;
          this.#cpus.fitFor(move.target);
          this.#heat.leave(isForeign(move.source, move.target));
          await this.#devices.hold();
          this.#phase('freeze');
        },
      });
      return { move, report };
    } finally {
      if (report?.outcome !== 'arrived') this.#keysThere = undefined;
      if (!frozen) this.#devices.goOn();
      if (frozen && report?.outcome !== 'arrived') await this.#comeBack(request);
    }
  }

  /** What was left at this computer is in use again. */
  #back(signal: AbortSignal): Promise<unknown> {
    return Promise.all([this.#leftSwaps, this.#leftMounts].map(left => left.settled(signal)));
  }

  #ask(event: HookEvent, request: MoveRequest): Promise<void> {
    if (event === 'pre-move') this.#askedOf = request.id;
    return this.#hooks.run(event, hookWords(request), request.signal);
  }

  #switchOff(areas: readonly SwapThatStays[], { here, signal }: MoveRequest): Promise<void> {
    return this.#leftSwaps.off(areas, here.name, signal, bytes => this.#swaps.make(bytes, here.name));
  }

  #check(request: MoveRequest): Promise<CheckedMove> {
    return checkMove(request, this.#devices.status, () => this.#capabilities(), {
      status: this.#devices.table(),
      locations: this.#devices.where,
      storage: this.#devices.storage(),
    });
  }

  async #capabilities(): Promise<Capabilities> {
    return this.#os.capabilities(await gatherOsState(this.#os.home, this.#devices.table()));
  }

  /** Rolled back: the OS goes on at the source. */
  async #comeBack({ epoch }: MoveRequest): Promise<void> {
    this.#phase('return');
    this.#os.useUp(epoch);
    this.#cpus.goBack();
    this.#heat.goBack();
    await this.#goOn(() => this.#world.save());
    const tell = (): void => this.#alive.tell();
    // A disk elsewhere needs no ports of ours, and the ports need no disk; other cards may.
    const devices = async (): Promise<void> => {
      await this.#devices.restore(['disk0']);
      await this.#goOn(() => this.#devices.scan());
      await this.#restoreOthers();
    };
    await Promise.all([devices(), this.#ports.openForSure(this.#os.here().address, tell)]);
    tell();
  }

  async #arrive(
    request: MoveRequest,
    { prepared, source: left, target: found, disk: plan }: CheckedMove,
    report: HelperReport,
  ): Promise<Downtime> {
    const thawedAt = performance.now();
    this.#show(shown => shown.arrived(report.wireBytes));
    const { here: source, target, epoch } = request;
    this.#os.arrived(inNetworkOf(target, found.nic?.address), epoch, found.rsdp);
    const keys = this.#keysThere;
    this.#keysThere = undefined;
    if (keys) await this.#goOn(() => this.#os.keys.moved(keys));
    this.#devices.destine(destinyOf(plan, request));
    const tellLenders = this.#devices.arrived(prepared.ways);
    this.#alive.moved(source, target);
    await this.#goOn(() => this.#world.save()); // an agent that dies from here on is started anew on this computer
    const hasOtherUnits = this.#world.away.set(!this.#os.isAtHome); // before any disk of this computer is found
    await this.#goOn(() => ensureMachineAddress(target.address)); // the helper has tried
    // At home again the disk is a PCI device that must be found first; anywhere else the disk comes before all others.
    if (this.#devices.isHere('disk0')) await this.#goOn(() => this.#devices.scan('disks'));
    const disk = this.#devices.restore(['disk0']).then(() => performance.now() - thawedAt);
    const tell = (): void => this.#alive.tell();
    await this.#ports.openForSure(target.address, tell); // should the disk keep us waiting, we can be asked
    const diskMs = await disk;
    this.#phase('after');
    if (hasOtherUnits) void this.#goOn(() => this.#world.away.readUnitsAnew());
    await this.#goOn(() => this.#devices.scan());
    await this.#restoreOthers();
    tellLenders();
    tell();
    this.#cpus.useAll(found);
    this.#heat.arrived(isForeign(left, found));
    return downtimeFrom(report, diskMs);
  }

  #restoreOthers(): Promise<void> {
    return this.#devices.restore(this.#devices.where.map(each => each.device).filter(id => id !== 'disk0'));
  }

  #finish(
    request: MoveRequest,
    startedAt: string,
    report: HelperReport | undefined,
    rest: Pick<HistoryEntry, 'outcome'> & Partial<HistoryEntry>,
    error?: YadoError,
  ): void {
    const entry = entryOf(request, startedAt, report, rest);
    this.#os.remember(entry);
    this.#move = undefined;
    this.#leftSwaps.on(this.#os.here().name);
    this.#leftMounts.on(this.#os.here().name);
    this.#swaps.putAway();
    this.#world.save();
    log(
      error
        ? `${error.message} (${error.hint})`
        : `moved from ${entry.source} to ${entry.target}, downtime ${Math.round(entry.downtime?.total ?? 0)} ms`,
    );
    this.#world.emit(error ? 'failed' : 'done', error ? errorEvent(error) : entry);
    // They were told that it would leave; a roll back has brought all else back by now.
    const event = rest.outcome === 'moved' ? 'post-arrive' : 'post-fail';
    if (this.#askedOf === request.id)
      this.#hooks.tell(event, hookWords(request), signal => this.#back(signal));
  }

  /** The OS runs here, come what may: a step that fails is told, and the next one taken. */
  async #goOn(step: () => unknown): Promise<void> {
    try {
      await step();
    } catch (error) {
      log(asYadoError(error, this.#os.here().name).message);
    }
  }
}
