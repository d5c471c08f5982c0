// The role `active`: inside the running OS. Holds both managers, answers the API, and carries the OS to another computer.
// It is itself part of what moves: after a move the same process is the agent of the computer it woke up on.
import { uptime } from 'node:os';
import type { MigrateRequest, StandbyRequest } from '#core/api.ts';
import type { Downtime } from '#core/downtime.ts';
import { asYadoError, type YadoError, yadoError } from '#core/errors.ts';
import { type History, type HistoryEntry, withEntry } from '#core/history.ts';
import type { Phase, Progress } from '#core/progress.ts';
import type { Computer } from '#devices/device.ts';
import { ensureMachineAddress, osAddresses, readNetwork } from '#devices/network/network.ts';
import { readRsdp } from '#linux/acpi.ts';
import { measureCiphers } from '#linux/ktls-probe.ts';
import { ask } from '#managers/control-client.ts';
import { claimPort, controlPort, protocolVersion } from '#wire/control.ts';
import type { HelperReport } from '#wire/report.ts';
import { AliveCalls } from './alive.ts';
import { ApiServer, errorEvent } from './api-server.ts';
import { BegunMoves } from './begun-moves.ts';
import { agentImageHash, doneOnce, gatherCapabilities } from './capabilities.ts';
import { ClaimDesk, refusalOf } from './claim-desk.ts';
import type { Config } from './config.ts';
import { ControlServer } from './control-server.ts';
import { culpritOf } from './culprit.ts';
import { log } from './log.ts';
import { MoveProgress } from './move-progress.ts';
import { OsDevices } from './os-devices.ts';
import { machineAddressIsThere, OsPorts } from './os-ports.ts';
import { downtimeFrom, entryOf, outcomeOf } from './outcome.ts';
import { readSavedState, saveState } from './saved-state.ts';
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
import { sourceTimeouts } from './timeouts.ts';
import { version } from './version.ts';

const measuredOnce = () => doneOnce(() => measureCiphers(() => performance.now()));

export class Active {
  readonly #config: Config;
  readonly #api: ApiServer;
  readonly #ports: OsPorts;
  readonly #devices: OsDevices;
  readonly #alive: AliveCalls;
  readonly #begun = new BegunMoves();
  /** Of the computer the OS is on now. */
  #cipherRates = measuredOnce();
  #here: Computer;
  #epoch: number;
  /** Of the computer the OS is on now. */
  #rsdp: number | undefined;
  #history: History = [];
  #move:
    | { readonly request: MoveRequest; readonly shown: MoveProgress; readonly abort: AbortController }
    | undefined;

  constructor(config: Config) {
    this.#config = config;
    this.#here = { name: config.computer.name, address: config.computer.address.split('/')[0] ?? '' };
    // Epochs only grow, also over a restart of the OS: they begin with the second it was started.
    this.#epoch = Math.floor(Date.now() / 1000 - uptime());
    this.#rsdp = readRsdp();
    const saved = readSavedState();
    if (saved) {
      this.#here = saved.here;
      this.#epoch = saved.epoch;
      this.#history = saved.history;
      this.#rsdp = saved.rsdp ?? undefined;
    }
    this.#devices = new OsDevices(
      {
        osId: this.#osId,
        here: () => this.#here,
        epoch: () => this.#epoch,
        computer: name => this.#computer(name),
        changed: () => this.#save(),
        isMoving: () => this.#move !== undefined,
      },
      saved,
      config.printer?.uri,
    );
    this.#alive = new AliveCalls(
      () => ({ osId: this.#osId, epoch: this.#epoch, here: this.#here }),
      saved?.unaware ?? [],
      () => this.#save(),
    );
    const control = new ControlServer(() => this.#here.name, {
      status: () => ({ name: this.#here.name, role: 'active' }),
      describe: async () => ({ capabilities: await this.#capabilities() }),
    });
    const desk = new ClaimDesk(refusalOf(epoch => this.#begun.keyOf(epoch)));
    this.#ports = new OsPorts(machineAddressIsThere, [
      {
        listen: address => control.listen(address, controlPort),
        close: () => control.close(),
      },
      { listen: address => desk.open(address, claimPort), close: () => desk.close() },
    ]);
    this.#api = new ApiServer({
      status: () => ({
        computer: this.#here,
        role: 'active',
        os: { id: this.#osId, epoch: this.#epoch, addresses: osAddresses(this.#here.address) },
        migration: this.#progress() ?? null,
        protocol: protocolVersion,
        version,
      }),
      devices: () => this.#devices.look().then(() => this.#devices.table()),
      where: () => this.#devices.where,
      computers: () => [this.#here, ...this.#computers().filter(each => each.name !== this.#here.name)],
      history: () => this.#history,
      migrate: request => this.#migrate(request),
      cancel: () => this.#cancel(),
      standby: request => this.#standby(request),
      lend: request => this.#whileStill(() => this.#devices.lending.lend(request)),
      return: request => this.#whileStill(() => this.#devices.lending.return(request)),
      firstEvent: () => {
        const data = this.#progress();
        return data && { event: 'progress', data };
      },
    });
  }

  async start(): Promise<void> {
    await this.#ports.open(this.#here.address);
    await this.#api.listen();
    // Of what an agent before this one had connected only the connections are left: make them anew, they become ours.
    void this.#devices
      .restoreAfterStart()
      .then(agentImageHash)
      .catch((error: Error) => log(`the agent image cannot be read: ${error.message}`));
    this.#alive.tell();
    process.once('SIGTERM', () => void this.#devices.end().finally(() => process.exit(0)));
    log(`active on ${this.#here.name}, OS ${this.#osId}, epoch ${this.#epoch}`);
  }

  get #osId(): string {
    return this.#config.os?.id ?? 'os';
  }

  /** The OS runs here, come what may: a step that fails is told, and the next one taken. */
  async #goOn(step: () => unknown): Promise<void> {
    try {
      await step();
    } catch (error) {
      log(asYadoError(error, this.#here.name).message);
    }
  }

  #computers(): Computer[] {
    const { computer, computers } = this.#config;
    return [{ name: computer.name, address: computer.address.split('/')[0] ?? '' }, ...computers];
  }

  #computer(name: string): Computer {
    const found = [this.#here, ...this.#computers()].find(each => each.name === name);
    if (!found) throw yadoError('unknownComputer', { computer: name });
    return found;
  }

  async #capabilities() {
    const network = readNetwork(this.#here.address);
    const card = network && {
      name: network.port.name,
      mac: network.portMac,
      address: `${this.#here.address}/24`,
    };
    return gatherCapabilities(
      this.#here.name,
      'active',
      await agentImageHash(),
      await this.#cipherRates(),
      card,
      this.#rsdp,
    );
  }

  #progress(): Progress | undefined {
    return this.#move?.shown.at(performance.now());
  }

  #phase(phase: Phase): void {
    this.#show(shown => shown.enter(phase));
  }

  #show(change: (shown: MoveProgress) => void): void {
    if (!this.#move) return;
    change(this.#move.shown);
    this.#api.emit('progress', this.#progress());
  }

  /** For what a move must not be mixed with. */
  #whileStill<T>(work: () => T): T {
    if (!this.#move) return work();
    throw yadoError('busy', {
      computer: this.#here.name,
      activity: `it is moving the OS to ${this.#move.request.target.name}`,
    });
  }

  async #migrate({
    to,
    dryRun,
    acceptRisks,
    preCopy,
  }: MigrateRequest): Promise<{ status: number; body: object }> {
    const target = this.#whileStill(() => this.#computer(to));
    if (target.name === this.#here.name) throw yadoError('sameComputer', { computer: to });
    const abort = new AbortController();
    const request: MoveRequest = {
      id: `${this.#epoch + 1}-${this.#history.length + 1}`,
      osId: this.#osId,
      epoch: this.#epoch + 1,
      here: this.#here,
      startedHere: this.#here.name === this.#config.computer.name,
      target,
      acceptRisks: acceptRisks ?? [],
      preCopy: preCopy ?? true,
      signal: abort.signal,
    };
    if (dryRun) {
      const move = await this.#check(request);
      const ways = move.prepared.ways.map(each => `${each.device}: ${each.way}, ${each.reason}`);
      const steps = move.prepared.plans.leave.map(each => `while frozen: ${each.label}`);
      return {
        status: 200,
        body: {
          checks: move.checks.checks,
          plan: [...ways, ...move.load.map(alias => `load the driver for ${alias}`), ...steps],
        },
      };
    }
    this.#move = { request, shown: new MoveProgress(request, performance.now()), abort };
    const startedAt = new Date().toISOString();
    this.#run(request, startedAt)
      .catch(error => log(`the end of a move: ${asYadoError(error, this.#here.name).message}`))
      .finally(() => {
        this.#move = undefined;
      });
    return { status: 202, body: { id: request.id } };
  }

  async #run(first: MoveRequest, startedAt: string): Promise<void> {
    let request = first;
    let report: HelperReport | undefined;
    try {
      let tried = await this.#try(request);
      if (tried.report.reason === 'freeze' && !request.signal.aborted) {
        // A task can be in the middle of something that it leaves a moment later.
        log(`${culpritOf(tried.report) ?? 'a program'} did not stand still; trying once more`);
        request = { ...request, epoch: this.#epoch + 1 };
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
    const woken = (await wakeTarget(request)) ? request.target.name : undefined;
    await this.#devices.ready(woken, request.signal);
    const move = await this.#check(request);
    refuseUnfit(request, move);
    this.#phase('prepare');
    await this.#devices.lending.returnAllFrom(request.target.name);
    let report: HelperReport | undefined;
    let frozen = false;
    try {
      report = await runJob(request, move, this.#begun, {
        preCopy: round => this.#show(shown => shown.copied(round, performance.now())),
        freezing: async () => {
          this.#alive.stop();
          await this.#ports.close();
          frozen = true;
          await this.#devices.hold();
          this.#phase('freeze');
        },
      });
      return { move, report };
    } finally {
      if (frozen && report?.outcome !== 'arrived') await this.#comeBack(request);
    }
  }

  #check(request: MoveRequest): Promise<CheckedMove> {
    return checkMove(request, this.#devices.status, () => this.#capabilities(), {
      status: this.#devices.table(),
      locations: this.#devices.where,
    });
  }

  /** Rolled back: the OS goes on at the source. */
  async #comeBack({ epoch }: MoveRequest): Promise<void> {
    this.#phase('return');
    // The epoch of a move that failed is used up: a copy that was made in it must never be taken for a later one.
    this.#epoch = epoch;
    await this.#goOn(() => this.#save());
    const tell = (): void => this.#alive.tell();
    // A disk elsewhere needs no ports of ours, and the ports need no disk.
    await Promise.all([this.#devices.restore(), this.#ports.openForSure(this.#here.address, tell)]);
    tell();
  }

  async #arrive(
    request: MoveRequest,
    { prepared, target: found }: CheckedMove,
    report: HelperReport,
  ): Promise<Downtime> {
    const thawedAt = performance.now();
    this.#show(shown => shown.arrived(report.wireBytes));
    const { here: source, target, epoch } = request;
    this.#here = target;
    this.#rsdp = found.rsdp ?? undefined;
    this.#cipherRates = measuredOnce();
    this.#epoch = epoch;
    const tellLenders = this.#devices.arrived(prepared.ways);
    this.#alive.moved(source, target);
    await this.#goOn(() => this.#save()); // an agent that dies from here on is started anew on this computer
    await this.#goOn(() => ensureMachineAddress(target.address)); // the helper has tried
    // At home again the disk is a PCI device that must be found first; anywhere else the disk comes before all others.
    if (this.#devices.isHere('disk0')) await this.#goOn(() => this.#devices.scan());
    const disk = this.#devices.restore(['disk0']).then(() => performance.now() - thawedAt);
    const tell = (): void => this.#alive.tell();
    await this.#ports.openForSure(target.address, tell); // should the disk keep us waiting, we can be asked
    const diskMs = await disk;
    this.#phase('after');
    await this.#goOn(() => this.#devices.scan());
    await this.#devices.restore(this.#devices.where.map(each => each.device).filter(id => id !== 'disk0'));
    tellLenders();
    tell();
    return downtimeFrom(report, diskMs);
  }

  #finish(
    request: MoveRequest,
    startedAt: string,
    report: HelperReport | undefined,
    rest: Pick<HistoryEntry, 'outcome'> & Partial<HistoryEntry>,
    error?: YadoError,
  ): void {
    const entry = entryOf(request, startedAt, report, rest);
    this.#history = withEntry(this.#history, entry);
    this.#move = undefined;
    this.#save();
    log(
      error
        ? `${error.message} (${error.hint})`
        : `moved from ${entry.source} to ${entry.target}, downtime ${Math.round(entry.downtime?.total ?? 0)} ms`,
    );
    this.#api.emit(error ? 'failed' : 'done', error ? errorEvent(error) : entry);
  }

  #cancel(): object {
    if (!this.#move) throw yadoError('nothingToCancel', { computer: this.#here.name });
    this.#move.abort.abort();
    return {};
  }

  async #standby({ computer }: StandbyRequest): Promise<object> {
    const there = this.#computer(computer ?? this.#here.name);
    if (there.name === this.#here.name) throw yadoError('notGhost', { computer: there.name, role: 'active' });
    await ask(
      { name: there.name, ip: there.address, port: controlPort, localIp: this.#here.address },
      'standby',
      {},
      { timeoutMs: 25_000 }, // the kernel checks the standby image before it takes it
    );
    return {};
  }

  #save(): void {
    saveState({
      here: this.#here,
      epoch: this.#epoch,
      rsdp: this.#rsdp ?? null,
      history: [...this.#history],
      unaware: [...this.#alive.unaware],
      ...this.#devices.saved,
    });
  }
}

/** Starts the agent inside the OS. */
export async function runActive(config: Config): Promise<void> {
  await new Active(config).start();
}
