// The role `active`: inside the running OS. Holds both managers, answers the API, and carries the OS to another computer.
// It is itself part of what moves: after a move the same process is the agent of the computer it woke up on.
import type { StandbyRequest } from '#core/api.ts';
import { yadoError } from '#core/errors.ts';
import { osAddresses } from '#devices/network/network.ts';
import { ask } from '#managers/control-client.ts';
import { type ClassesOfDevices, DeviceList, loadClasses } from '#managers/device-list.ts';
import { peerOf } from '#managers/location-manager.ts';
import { claimPort, controlPort, protocolVersion } from '#wire/control.ts';
import { AliveCalls } from './alive.ts';
import { ApiServer } from './api-server.ts';
import { away } from './away.ts';
import { BegunMoves } from './begun-moves.ts';
import { agentImageHash, kernelSaid } from './capabilities.ts';
import { ClaimDesk, refusalOf } from './claim-desk.ts';
import type { Config } from './config.ts';
import { ControlServer } from './control-server.ts';
import { Hooks } from './hooks.ts';
import { LeftMounts } from './left-mounts.ts';
import { LeftSwaps } from './left-swaps.ts';
import { log } from './log.ts';
import { Moves } from './moves.ts';
import { defaultOsId, Os } from './os.ts';
import { OsDevices } from './os-devices.ts';
import { OsKeyring } from './os-keyring.ts';
import { osPairing } from './os-pairing.ts';
import { machineAddressIsThere, OsPorts } from './os-ports.ts';
import { readSavedState, saveState } from './saved-state.ts';
import { SwapFiles } from './swap-files.ts';
import { version } from './version.ts';

export class Active {
  readonly #os: Os;
  readonly #api: ApiServer;
  readonly #ports: OsPorts;
  readonly #devices: OsDevices;
  readonly #alive: AliveCalls;
  readonly #moves: Moves;
  readonly #swaps: SwapFiles;
  readonly #leftSwaps: LeftSwaps;
  readonly #leftMounts: LeftMounts;

  constructor(config: Config, classes: ClassesOfDevices) {
    const saved = readSavedState();
    const begun = new BegunMoves();
    const keyring = new OsKeyring(config.os?.id ?? defaultOsId, config.computer.name);
    const os = new Os(config, saved, keyring, begun.newestEpoch);
    this.#os = os;
    this.#devices = new OsDevices(
      {
        osId: os.osId,
        keys: os.keys,
        here: () => os.here(),
        epoch: () => os.epoch(),
        computer: name => os.computer(name),
        changed: () => this.#save(),
        isMoving: () => this.#moves.isMoving,
      },
      saved,
      new DeviceList(classes),
      config,
    );
    this.#alive = new AliveCalls(
      () => ({ osId: os.osId, epoch: os.epoch(), here: os.here(), keys: os.keys }),
      saved?.unaware ?? [],
      () => this.#save(),
    );
    const control = new ControlServer(
      () => os.here().name,
      {
        status: () => ({ name: os.here().name, role: 'active' }),
        whereIs: () => ({ where: 'here' }),
        describe: async () => ({ capabilities: await os.capabilities(null) }),
      },
      () => os.keys.computer.server,
    );
    const desk = new ClaimDesk(refusalOf(epoch => begun.keyOf(epoch)));
    const pairing = osPairing(os);
    this.#ports = new OsPorts(machineAddressIsThere, [
      {
        listen: address => control.listen(address, controlPort),
        close: () => control.close(),
      },
      { listen: address => desk.open(address, claimPort), close: () => desk.close() },
      { listen: async () => {}, close: () => pairing.close() }, // a person opens it: yado accept
    ]);
    this.#swaps = new SwapFiles();
    this.#leftSwaps = new LeftSwaps(saved?.leftSwaps ?? [], () => this.#save());
    this.#leftMounts = new LeftMounts(saved?.leftMounts ?? [], () => this.#save());
    const moves = new Moves({
      os,
      devices: this.#devices,
      alive: this.#alive,
      ports: this.#ports,
      begun,
      swaps: this.#swaps,
      leftSwaps: this.#leftSwaps,
      leftMounts: this.#leftMounts,
      hooks: new Hooks(),
      away,
      save: () => this.#save(),
      emit: (event, data) => this.#api.emit(event, data),
    });
    this.#moves = moves;
    this.#api = new ApiServer({
      status: () => ({
        computer: os.here(),
        role: 'active',
        os: {
          id: os.osId,
          epoch: os.epoch(),
          addresses: osAddresses(os.here().address),
          home: {
            computer: os.home,
            hasDisk: this.#devices.where.some(each => each.device === 'disk0' && each.computer === os.home),
          },
        },
        migration: moves.progress ?? null,
        disk: this.#devices.following(),
        protocol: protocolVersion,
        version,
      }),
      devices: () => this.#devices.look().then(() => this.#devices.table()),
      where: () => this.#devices.where,
      computers: () => os.computers,
      history: () => os.history,
      doctor: request => moves.doctor(request),
      migrate: request => moves.migrate(request),
      cancel: () => moves.cancel(),
      standby: request => this.#standby(request),
      lend: request => moves.whileStill(() => this.#devices.lending.lend(request)),
      return: request => moves.whileStill(() => this.#devices.lending.return(request)),
      ...pairing.handlers,
      pair: request => moves.whileStill(() => pairing.handlers.pair(request)),
      accept: () => moves.whileStill(() => pairing.handlers.accept()),
      medium: request => moves.whileStill(async () => pairing.handlers.medium(request)),
      firstEvent: () => {
        const data = moves.progress;
        return data && { event: 'progress', data };
      },
    });
  }

  async start(): Promise<void> {
    const { name, address } = this.#os.here();
    await this.#ports.open(address);
    await this.#api.listen();
    // Of what an agent before this one had connected only the connections are left: make them anew, they become ours.
    void this.#devices
      .restoreAfterStart()
      .then(agentImageHash)
      .then(kernelSaid)
      .catch((error: Error) => log(`the agent image cannot be read: ${error.message}`));
    this.#leftSwaps.on(name);
    this.#leftMounts.on(name);
    this.#swaps.putAway();
    away.set(!this.#os.isAtHome); // also for an agent that is newer than where the OS is
    this.#alive.tell();
    process.once('SIGTERM', () => void this.#devices.end().finally(() => process.exit(0)));
    log(`active on ${name}, OS ${this.#os.osId}, epoch ${this.#os.epoch()}`);
  }

  async #standby({ computer }: StandbyRequest): Promise<object> {
    const here = this.#os.here();
    const there = this.#os.computer(computer ?? here.name);
    if (there.name === here.name) throw yadoError('notGhost', { computer: there.name, role: 'active' });
    // The kernel checks the standby image before it takes it.
    await ask(peerOf({ here, keys: this.#os.keys }, there), 'standby', {}, { timeoutMs: 25_000 });
    return {};
  }

  #save(): void {
    saveState({
      ...this.#os.saved,
      unaware: [...this.#alive.unaware],
      leftSwaps: this.#leftSwaps.saved,
      leftMounts: this.#leftMounts.saved,
      ...this.#devices.saved,
    });
  }
}

/** Starts the agent inside the OS. */
export async function runActive(config: Config): Promise<void> {
  await new Active(config, await loadClasses()).start();
}
