// A standby on whose disk an OS has left a mark: finds out where that OS is (doubt.ts), and says so on the screen.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Status } from '#core/api.ts';
import type { Computer } from '#core/computer.ts';
import { yadoError } from '#core/errors.ts';
import { clearMark, writeMark } from '#devices/disk/left-mark.ts';
import { ask } from '#managers/control-client.ts';
import type { OsKeys } from '#managers/identity.ts';
import { claimPort, controlPort, type HomeEnding } from '#wire/control.ts';
import { ClaimDesk } from './claim-desk.ts';
import { Doubt, type Whereabouts } from './doubt.ts';
import { encodeMarkText, type LeftMove, type Mark } from './ghost-state.ts';
import { log } from './log.ts';
import { isOldDisk } from './mark-standing.ts';

const askEveryMs = 2000;
/** The answer to whoever decided goes out first. */
const farewellMs = 300;

export interface MarkedDiskWorld {
  /** This computer. */
  readonly here: Computer;
  /** Another computer that uses the disk, or serves it: here nothing is done but what a person says. */
  readonly elsewhere?: string | undefined;
  /** To ask in the name of the OS; undefined on a computer that was not started from the disk. */
  readonly asker: OsKeys | undefined;
  /** Something else is to be shown. */
  readonly changed: () => void;
  /** What is written on the disk by now: others may have done so. */
  readonly now: () => Mark | undefined;
  /** The OS may still ask for it from here. */
  readonly isServed: () => boolean;
  /** Serves what was left: the OS is elsewhere. */
  readonly serve: () => Promise<void>;
  /** Ends that again: everything written is on the disk when it is fulfilled. */
  readonly stop: () => Promise<void>;
  /** Restarts this computer, which then starts the OS, or switches it off. */
  readonly endComputer: (how: HomeEnding) => void;
}

export class MarkedDisk {
  readonly #world: MarkedDiskWorld;
  readonly #mark: Mark;
  readonly #doubt: Doubt;
  readonly #desk: ClaimDesk;
  #said = '';
  /** What this computer does when the OS is nowhere else. */
  #ending: HomeEnding = 'restart';

  /** @param node of the disk */
  constructor(node: string, mark: Mark, world: MarkedDiskWorld) {
    this.#world = world;
    this.#mark = mark;
    const { epoch, state, osId } = mark;
    this.#doubt = new Doubt({
      state,
      // In a later epoch it has moved on from there: that copy has long been granted.
      move: mark.move?.epoch === epoch ? mark.move : undefined,
      markLeft: () => writeMark(node, encodeMarkText({ ...mark, state: 'left' })),
      clear: () => clearMark(node),
      ask: (move, signal) => this.#ask(move, signal),
      say: text => this.#say(text),
      everyMs: askEveryMs,
      now: () => BigInt(Date.now()) * 1_000_000n,
    });
    this.#desk = new ClaimDesk(this.#doubt.answer, from => `granted ${osId} to its copy at ${from}`);
  }

  /** Answers claims, and acts when it is known where the OS is. */
  async open(): Promise<void> {
    const { address } = this.#world.here;
    void this.#doubt.decided.then(decision => this.#act(decision));
    await this.#desk
      .open(address, claimPort)
      .catch((error: Error) => log(`claims are not answered: ${error.message}`));
  }

  /** Answers and asks no more. */
  async close(): Promise<void> {
    this.#doubt.close();
    await this.#desk.close();
  }

  /** The OS has asked for what it left here. @throws YadoError `busy` when it is being started here */
  heard(): void {
    if (this.#doubt.heard()) return;
    const activity = `it starts ${this.#mark.osId} from its disk`;
    throw yadoError('busy', { computer: this.#world.here.name, activity });
  }

  /** @throws YadoError `diskIsOld` */
  refuseOld(): void {
    const { here, now, isServed } = this.#world;
    if (isOldDisk(now(), isServed(), here.name))
      throw yadoError('diskIsOld', { computer: here.name, os: this.#mark.osId });
  }

  /** For what is said in that epoch. @throws YadoError `diskIsOld`; `staleEpoch`: an older copy of the OS says it */
  refuseOlder(theirs: number): void {
    this.refuseOld();
    const ours = this.#world.now()?.epoch ?? 0;
    const { osId: device } = this.#mark;
    const computer = this.#world.here.name;
    if (theirs < ours) throw yadoError('staleEpoch', { device, computer, theirs, ours });
  }

  /**
   * The OS is nowhere any more: `yado resume`, or it has ended where it was and says so itself.
   * @throws YadoError `diskIsOld`; Error when the disk cannot be written
   */
  async resume(ending: HomeEnding = 'restart'): Promise<void> {
    this.refuseOld();
    this.#ending = ending;
    await this.#world.stop();
    const wasDecided = this.#doubt.decision !== undefined;
    this.#doubt.resume();
    if (wasDecided) await this.#act('starts');
  }

  get status(): NonNullable<Status['left']> {
    const { osId, move } = this.#mark;
    const to = this.#world.elsewhere ?? move?.to.name;
    return {
      os: osId,
      state: this.#doubt.decision === 'left' ? 'left' : 'leaving',
      ...(to !== undefined && { to }),
    };
  }

  /** For the screen; none once it is settled. */
  get lines(): string[] {
    const { osId, move } = this.#mark;
    const { elsewhere } = this.#world;
    if (this.#doubt.decision === 'left' && elsewhere !== undefined)
      return [
        `${osId} is elsewhere: ${elsewhere} uses the disk here by itself`,
        '',
        `when ${elsewhere} has lost it for good: Alt+F2, and type`,
        '    yado resume',
        '',
      ];
    if (this.#doubt.decision) return [];
    const to = move?.to.name ?? 'another computer';
    return [
      `${osId} was leaving to ${to} when this computer was switched off`,
      `it is not started before ${to} says whether it has it`,
      `          ${this.#said}`,
      '',
      `when ${to} has lost it for good: Alt+F2, and type`,
      '    yado resume',
      '',
    ];
  }

  async #act(decision: 'left' | 'starts'): Promise<void> {
    if (decision === 'left') {
      const { osId } = this.#mark;
      const { elsewhere } = this.#world;
      const what =
        elsewhere === undefined ? 'what it left is served' : `${elsewhere} uses its disk by itself`;
      log(`${osId} is elsewhere: ${what}`);
      this.#world.changed();
      await this.#world.serve();
      return;
    }
    const fate =
      this.#ending === 'restart' ? 'it is started from its disk' : 'this computer switches itself off';
    log(`${this.#mark.osId} is nowhere else: ${fate}`);
    await sleep(farewellMs);
    this.#world.endComputer(this.#ending);
  }

  async #ask({ to, epoch }: LeftMove, signal: AbortSignal): Promise<Whereabouts> {
    const { here, asker } = this.#world;
    if (!asker)
      throw new Error(`to ask ${to.name}, start this computer from its disk: the key of the OS is there`);
    const peer = { name: to.name, ip: to.address, port: controlPort, localIp: here.address, keys: asker };
    const { osId } = this.#mark;
    return (await ask(peer, 'whereIs', { osId, epoch }, { timeoutMs: 5000, signal })).where;
  }

  #say(text: string): void {
    if (text === this.#said) return;
    this.#said = text;
    log(text);
    this.#world.changed();
  }
}
