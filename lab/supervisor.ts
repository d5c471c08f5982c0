// The process that owns a lab started by `yado lab up`: runs it, answers the CLI, ends it.
// When it dies, in whatever way, everything it started dies. It trusts whoever can open its socket (root).

import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import type { Role } from './computer-spec.ts';
import { type Arguments, type ComputerStatus, controlSocket, type LabStatus } from './control.ts';
import { type Lab, type LabOptions, LabStartError, startLab } from './lab.ts';
import { errorText, LabError } from './lab-error.ts';
import { stateDir } from './paths.ts';

/** Reads a text argument. */
function text(args: Arguments, name: string): string {
  const value = args[name];
  if (typeof value !== 'string') throw new LabError(`"${name}" is missing`);
  return value;
}

function list(args: Arguments, name: string): readonly string[] {
  const value = args[name];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

function timeout(args: Arguments): { timeoutMs?: number } {
  return typeof args.timeoutMs === 'number' ? { timeoutMs: args.timeoutMs } : {};
}

type Verb = (lab: Lab, args: Arguments) => Promise<unknown>;

/** Every verb a running lab understands. */
const verbs: Readonly<Record<string, Verb>> = {
  exec: async (lab, args) => {
    const { code, output } = await lab
      .computer(text(args, 'computer'))
      .exec(text(args, 'command'), timeout(args));
    return { code, output };
  },
  put: async (lab, args) => {
    const mode = typeof args.mode === 'number' ? args.mode : 0o644;
    await lab
      .computer(text(args, 'computer'))
      .put(Buffer.from(text(args, 'base64'), 'base64'), text(args, 'path'), mode);
  },
  get: async (lab, args) =>
    (await lab.computer(text(args, 'computer')).get(text(args, 'path'))).toString('base64'),
  screenshot: (lab, args) => lab.computer(text(args, 'computer')).screenshot(text(args, 'file')),
  key: (lab, args) => lab.computer(text(args, 'computer')).key(...list(args, 'keys')),
  type: (lab, args) => lab.computer(text(args, 'computer')).type(text(args, 'text')),
  sysrq: (lab, args) => lab.computer(text(args, 'computer')).sysrq(text(args, 'letter')),
  monitor: (lab, args) => lab.computer(text(args, 'computer')).monitor(text(args, 'command')),
  cut: (lab, args) => lab.computer(text(args, 'computer')).cut(),
  heal: (lab, args) => lab.computer(text(args, 'computer')).heal(),
  kill: (lab, args) => lab.computer(text(args, 'computer')).kill(),
  boot: async (lab, args) => {
    const computer = lab.computer(text(args, 'computer'));
    await computer.boot(args.role === undefined ? undefined : (text(args, 'role') as Role));
    await computer.ready();
  },
  log: async (lab, args) => lab.computer(text(args, 'computer')).serialLog(),
  third: (lab, args) => lab.third.run(list(args, 'argv')),
};

/** Runs a lab until it is told to end. `say` writes the supervisor's log. */
export class Supervisor {
  readonly #id: string;
  readonly #say: (text: string) => void;
  #server: Server | undefined;
  #lab: Lab | undefined;
  #phase: LabStatus['phase'] = 'starting';
  #message = 'starting';
  #hint = '';

  constructor(id: string, say: (text: string) => void) {
    this.#id = id;
    this.#say = say;
  }

  /** Listens first, so that the start can be watched; then starts the lab. */
  async run(options: LabOptions): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request).then(
        result => response.end(JSON.stringify({ result })),
        (error: unknown) => {
          const hint = error instanceof LabError ? error.hint : '';
          response.end(JSON.stringify({ error: { message: errorText(error), hint } }));
        },
      );
    });
    this.#server = server;
    server.requestTimeout = 0; // a boot or a migration may take minutes
    rmSync(controlSocket(this.#id), { force: true });
    await new Promise<void>((resolve, reject) =>
      server.once('error', reject).listen(controlSocket(this.#id), resolve),
    );
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.once(signal, () => void this.#end());
    const say = (message: string): void => {
      this.#message = message;
      this.#say(message);
    };
    try {
      this.#lab = await startLab({ ...options, id: this.#id, keepFiles: true, say });
      this.#phase = 'ready';
      say('ready');
    } catch (error) {
      if (error instanceof LabStartError) this.#lab = error.lab;
      this.#phase = 'failed';
      this.#hint = error instanceof LabError ? error.hint : '';
      say(errorText(error));
    }
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    const verb = (request.url ?? '/').slice(1);
    const args = (await json(request)) as Arguments;
    if (verb === 'status') return this.#status();
    if (verb === 'down') return this.#down();
    if (!Object.hasOwn(verbs, verb)) throw new LabError(`no verb "${verb}"`);
    if (!this.#lab) throw new LabError(`the lab is not ready: ${this.#message}`, 'yado lab status');
    this.#say(`${verb} ${JSON.stringify(args).slice(0, 200)}`);
    return (await verbs[verb]!(this.#lab, args)) ?? null;
  }

  #status(): LabStatus {
    const computers = (this.#lab?.computers ?? []).map(
      (computer): ComputerStatus => ({
        name: computer.name,
        power: computer.on ? 'on' : 'off',
        role: computer.on ? (computer.role ?? '-') : '-',
        cable: computer.plugged ? 'plugged' : 'cut',
        address: computer.spec.address,
      }),
    );
    return {
      id: this.#id,
      pid: process.pid,
      phase: this.#phase,
      message: this.#message,
      hint: this.#hint,
      dir: stateDir(this.#id),
      computers,
    };
  }

  /** Ends the lab, answers, and then this process. */
  async #down(): Promise<null> {
    await this.#lab?.down({ keepFiles: true });
    rmSync(controlSocket(this.#id), { force: true });
    setImmediate(() => void this.#end());
    return null;
  }

  async #end(): Promise<void> {
    this.#server?.close();
    await this.#lab?.down({ keepFiles: true }).catch((error: unknown) => this.#say(errorText(error)));
    for (const big of this.#lab?.computers ?? []) rmSync(big.diskFile, { force: true });
    rmSync(join(stateDir(this.#id), 'control.sock'), { force: true });
    process.exit(0);
  }
}
