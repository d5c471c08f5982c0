// A running lab: its network, its computers, the third machine. `await using lab = await startLab({…})`.
// Everything it starts ends with it, or with this process however that ends.

import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { agentReady } from './agent-ready.ts';
import { Computer, type StandbyImage } from './computer.ts';
import type { ComputerSpec, Role } from './computer-spec.ts';
import { CommandBook } from './console.ts';
import type { DiskLayout } from './disk-layout.ts';
import { LabError } from './lab-error.ts';
import { LabNetwork } from './network.ts';
import { osImage } from './os-image.ts';
import { configToml, type DebianVersion, osNetworkFile } from './os-recipe.ts';
import { osKeyFiles } from './pairing.ts';
import { labId, stateDir } from './paths.ts';
import { type Scenario, scenarioNamed } from './scenarios.ts';
import { ThirdMachine } from './third-machine.ts';

/** How to start a lab. */
export interface LabOptions {
  /** A scenario's name (default "paper") or a scenario made by the caller. */
  readonly scenario?: string | Scenario;
  /** The product's package (product.ts makes it); without it the OS is a plain Debian. */
  readonly deb?: string;
  /** The standby image; without it standby computers stay off. */
  readonly standby?: StandbyImage;
  /** Which Debian the OS is; default the stock one. */
  readonly debian?: DebianVersion;
  /** What the root file system of the OS lies on; default the whole disk. */
  readonly layout?: DiskLayout;
  /** Further Debian packages for the OS. */
  readonly include?: readonly string[];
  readonly kernelParameters?: Partial<Record<Role, readonly string[]>>;
  /** Where its files go; default a directory of this lab and process. */
  readonly id?: string;
  /** Boot the computers (default) or leave that to the caller. */
  readonly boot?: boolean;
  /** Keep the computers running when the start fails, to look inside. */
  readonly keepRunning?: boolean;
  /** The directory is there already and stays: a supervisor's, which listens in it. */
  readonly keepFiles?: boolean;
  readonly say?: (text: string) => void;
}

export class Lab implements AsyncDisposable {
  readonly id: string;
  readonly dir: string;
  readonly third: ThirdMachine;
  readonly #network: LabNetwork;
  readonly #computers: Map<string, Computer>;
  #end: Promise<void> | undefined;

  /** Only startLab makes one. */
  constructor(id: string, network: LabNetwork, third: ThirdMachine, computers: readonly Computer[]) {
    this.id = id;
    this.dir = stateDir(id);
    this.#network = network;
    this.third = third;
    this.#computers = new Map(computers.map(computer => [computer.name, computer]));
  }

  get computers(): readonly Computer[] {
    return [...this.#computers.values()];
  }

  /** A computer by name. @throws LabError naming those there are. */
  computer(name: string): Computer {
    const computer = this.#computers.get(name);
    if (!computer)
      throw new LabError(
        `no computer "${name}" in this lab`,
        `one of: ${[...this.#computers.keys()].join(', ')}`,
      );
    return computer;
  }

  /** Puts another computer in the place of the one of that name; it is off, with an empty disk. */
  async exchange(spec: ComputerSpec): Promise<Computer> {
    const computer = await this.computer(spec.name).exchanged(spec);
    this.#computers.set(spec.name, computer);
    return computer;
  }

  /** Copies serial logs and prints, and takes screenshots, into `into`: what a failed test leaves to read. */
  async evidence(into: string): Promise<void> {
    mkdirSync(into, { recursive: true });
    for (const computer of this.computers) {
      if (computer.on) await computer.screenshot(join(into, `${computer.name}.png`)).catch(() => {});
    }
    for (const name of readdirSync(this.dir)) {
      if (/\.(log|printer|pcap)$/.test(name)) copyFileSync(join(this.dir, name), join(into, name));
    }
  }

  /** Ends everything, once; its files go unless `keepFiles`. */
  down(options: { keepFiles?: boolean } = {}): Promise<void> {
    this.#end ??= this.#down(options);
    return this.#end;
  }

  async #down(options: { keepFiles?: boolean }): Promise<void> {
    await Promise.all(this.computers.map(computer => computer.kill()));
    await this.third[Symbol.asyncDispose]();
    await this.#network[Symbol.asyncDispose]();
    if (!options.keepFiles) rmSync(this.dir, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.down();
  }
}

/**
 * Starts a lab and waits until every computer's command channel and agent answer.
 * @throws LabError when an image cannot be made or a computer does not come up; nothing is left behind.
 */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const say = options.say ?? (() => {});
  const scenario =
    typeof options.scenario === 'object' ? options.scenario : scenarioNamed(options.scenario ?? 'paper');
  const id = options.id ?? `${labId()}-${process.pid}`;
  const { deb, standby } = options;
  const home = scenario.computers.find(spec => spec.role === 'os');
  if (!home) throw new LabError('the scenario has no computer that boots the OS');
  const address = (spec: { address: string }): string => spec.address.split('/')[0]!;
  const prefixLength = Number(home.address.split('/')[1]);
  const others = scenario.computers.filter(spec => spec !== home);
  const config = configToml(
    { name: home.name, address: address(home), prefixLength },
    others.map(spec => ({ name: spec.name, address: address(spec) })),
  );
  const files = [osNetworkFile(prefixLength), ...osKeyFiles(home, others)];
  const { debian, layout, include = [] } = options;
  const os = await osImage({ deb, debian, layout, include, config, files, say });

  const dir = stateDir(id);
  if (!options.keepFiles) rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const network = await LabNetwork.create();
  const book = new CommandBook();
  const around = { dir, network, book, os, standby, kernelParameters: options.kernelParameters };
  const computers = scenario.computers.map(spec => new Computer(spec, around));
  const lab = new Lab(id, network, new ThirdMachine(network), computers);
  if (options.boot === false) return lab;
  try {
    const wanted = computers.filter(computer => computer.spec.role === 'os' || standby !== undefined);
    for (const computer of computers) {
      if (!wanted.includes(computer)) say(`computer ${computer.name} stays off: it has no standby image`);
    }
    await Promise.all(
      wanted.map(async computer => {
        await computer.boot();
        say(`computer ${computer.name}: power on`);
        await computer.ready();
        if (deb !== undefined || computer.spec.role === 'standby') await agentReady(computer);
        say(`computer ${computer.name}: ready`);
      }),
    );
  } catch (error) {
    if (options.keepRunning) throw new LabStartError(lab, error);
    await lab.down({ keepFiles: options.keepFiles === true });
    throw error;
  }
  return lab;
}

/** A start that failed with `keepRunning`: the lab is there to look into, and the caller's to end. */
export class LabStartError extends LabError {
  readonly lab: Lab;

  constructor(lab: Lab, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), 'yado lab log, then yado lab down', cause);
    this.lab = lab;
  }
}
