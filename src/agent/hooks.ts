// Programs of the user that are run at the OS around a move, from /etc/yadokari/hooks/EVENT: to say no to it, to bring a service to
// rest before everything stands still, to tell somebody where the OS is. They lie on the disk of the OS, and so are run as its
// tools are: the agent itself never waits for that disk. Where there are none, nothing of that disk is started.
import { yadoError } from '#core/errors.ts';
import { endOf } from './end-of.ts';
import { log } from './log.ts';
import { namesIn, reasonOf, runTool } from './os-tools.ts';
import { timeScale } from './timeouts.ts';

/**
 * By event: how long its programs may take together, times the factor of timeouts.ts, and whether one that fails keeps the OS where
 * it is.
 */
const events = {
  /** The checks have passed, nothing is prepared. */
  'pre-move': { limitMs: 60_000, mayRefuse: true },
  /** Memory is copied; when they have ended, and what they have written is on the disk, everything stands still. */
  'pre-freeze': { limitMs: 10_000, mayRefuse: true },
  /** At the target, with all devices. */
  'post-arrive': { limitMs: 60_000, mayRefuse: false },
  /** At the source, where the OS goes on; only behind `pre-move`. */
  'post-fail': { limitMs: 60_000, mayRefuse: false },
} as const;
export type HookEvent = keyof typeof events;

export interface HookWords {
  readonly osId: string;
  readonly source: string;
  readonly target: string;
}

/** What comes back after a move is not waited for any longer: its disk may never come. */
const backMs = 60_000;

export const hooksFolder = '/etc/yadokari/hooks';

/** As run-parts has them, so that what an editor or dpkg leaves is not run. The script says it once more. */
const programName = /^[A-Za-z0-9_-]+$/;

/**
 * What a program says goes to a file: it may start a service, which keeps its output open. The file has no name any more when the
 * program begins: it may be ended with all of this.
 */
const script = `
folder=$1
for each in "$folder"/*; do
  name=\${each##*/}
  case $name in *[!A-Za-z0-9_-]*) continue ;; esac
  [ -f "$each" ] && [ -x "$each" ] || continue
  said=$(mktemp /run/yado-hook.XXXXXX) || exit 1
  exec 3> "$said" 4< "$said"
  rm -f "$said"
  "$each" >&3 2>&1 < /dev/null 3>&- 4<&-
  code=$?
  last=$(tail -n 1 <&4 | tr -d '\\000-\\037' | cut -c 1-200)
  [ $code -eq 0 ] || { echo "$name ended with $code\${last:+: $last}" >&2; exit 1; }
done`;

export interface HooksWorld {
  /** Runs a tool of the OS until its end; when the signal ends it early, with all it has started. @throws Error with what it said */
  readonly run: (words: readonly string[], signal?: AbortSignal) => Promise<void>;
  /** What lies in a folder of the OS. @throws as `run` */
  readonly namesIn: (folder: string, signal?: AbortSignal) => Promise<string[]>;
  readonly folder: string;
  readonly say: (line: string) => void;
  /** What all limits are multiplied by. */
  readonly scale: number;
}

export class Hooks {
  readonly #world: HooksWorld;
  #telling: Promise<void> = Promise.resolve();

  constructor(world: Partial<HooksWorld> = {}) {
    this.#world = { run: runTool, namesIn, folder: hooksFolder, say: log, scale: timeScale(), ...world };
  }

  /**
   * Runs those of an event, in the order of their names, until one fails.
   * @param signal the move is cancelled
   * @throws YadoError `hookRefused` where the event may refuse; else a failure is only told. The reason of the signal
   */
  async run(event: HookEvent, { osId, source, target }: HookWords, signal?: AbortSignal): Promise<void> {
    const { limitMs: usualMs, mayRefuse } = events[event];
    const limitMs = usualMs * this.#world.scale;
    const limit = AbortSignal.timeout(limitMs);
    const either = signal ? AbortSignal.any([limit, signal]) : limit;
    const folder = `${this.#world.folder}/${event}`;
    const words = [
      ...[`YADO_EVENT=${event}`, `YADO_OS=${osId}`, `YADO_SOURCE=${source}`, `YADO_TARGET=${target}`],
      ...['sh', '-c', script, 'sh', folder],
    ];
    try {
      const names = await this.#world.namesIn(folder, either);
      if (names.some(name => programName.test(name))) await this.#world.run(words, either);
    } catch (error) {
      signal?.throwIfAborted();
      const reason = limit.aborted ? `not done after ${limitMs / 1000} s` : reasonOf(error);
      if (mayRefuse) throw yadoError('hookRefused', { computer: source, target, event, reason }, error);
      this.#world.say(`a program in ${folder} failed: ${reason}`);
    }
  }

  /** Runs those of an event in the background, when `back` has ended: what the OS finds again after a move. */
  tell(event: HookEvent, words: HookWords, back: (signal: AbortSignal) => Promise<unknown>): void {
    this.#telling = this.#telling
      .then(() => back(AbortSignal.timeout(backMs)))
      .catch(() => {}) // whoever does it tells what is missing
      .then(() => this.run(event, words))
      .catch(error => this.#world.say(reasonOf(error)));
  }

  /** Those that `tell` began have ended when this returns; they have their limits. @throws the reason of the signal */
  settled(signal?: AbortSignal): Promise<void> {
    return endOf(this.#telling, signal);
  }
}
