// CPUs that the next computer does not have are switched off before the OS goes there, and on again where they are. What
// was switched off is kept in a file in memory, which moves with the OS: an agent that is started anew goes on with it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import type { Capabilities } from '#core/capabilities.ts';
import { cpusMissing } from '#core/cpu-fit.ts';
import { reasonOf } from '#devices/device.ts';
import { type Cpu, canSwitch, onlineCpus, switchCpu } from '#linux/cpus.ts';
import { log } from './log.ts';

const CpusSchema = v.array(v.strictObject({ number: v.number(), apicId: v.number() }));

/** What this needs of the kernel; another one in tests. */
export interface CpuSwitches {
  online(): Cpu[];
  canSwitch(cpu: Cpu): boolean;
  switch(cpu: Cpu, isOn: boolean): void;
}

const kernelsOwn: CpuSwitches = { online: onlineCpus, canSwitch, switch: switchCpu };

export class Cpus {
  readonly #path: string;
  readonly #switches: CpuSwitches;
  /** Switched off by us. */
  #off: readonly Cpu[];
  /** Of these, the ones of the last move. */
  #lately: readonly Cpu[] = [];

  constructor(path = '/run/yado/cpus.json', switches = kernelsOwn) {
    this.#path = path;
    this.#switches = switches;
    this.#off = existsSync(path) ? v.parse(CpusSchema, JSON.parse(readFileSync(path, 'utf8'))) : [];
  }

  /** The last ones first. One that stays on costs time only: the kernel waits for it at the target. Never throws. */
  fitFor({ name, cpu }: Pick<Capabilities, 'name' | 'cpu'>): void {
    const online = this.#switches.online();
    const missing = cpusMissing(
      online.map(each => each.apicId),
      cpu,
    );
    const surplus = online.filter(each => missing.includes(each.apicId) && this.#switches.canSwitch(each));
    this.#lately = surplus.toReversed().filter(each => this.#try(each, false));
    this.#keep([...this.#off, ...this.#lately]);
    if (surplus.length > 0) log(`switched off ${surplus.length} CPUs, which ${name} does not have`);
  }

  /** Rolled back: as it was before `fitFor`. Never throws. */
  goBack(): void {
    this.#use(this.#lately);
    this.#lately = [];
  }

  /** Those that are on this computer, which the OS has come to. Never throws. */
  useAll({ cpu }: Pick<Capabilities, 'cpu'>): void {
    const missing = cpusMissing(
      [...this.#switches.online(), ...this.#off].map(each => each.apicId),
      cpu,
    );
    this.#use(this.#off.filter(each => !missing.includes(each.apicId)));
  }

  #use(cpus: readonly Cpu[]): void {
    const on = cpus.toReversed().filter(each => this.#try(each, true));
    this.#keep(this.#off.filter(each => !on.includes(each)));
  }

  #try(cpu: Cpu, isOn: boolean): boolean {
    try {
      this.#switches.switch(cpu, isOn);
      return true;
    } catch (error) {
      log(`CPU ${cpu.number} could not be switched ${isOn ? 'on' : 'off'}: ${reasonOf(error)}`);
      return false;
    }
  }

  #keep(off: readonly Cpu[]): void {
    if (off.length === 0 && this.#off.length === 0) return;
    this.#off = off;
    writeFileSync(this.#path, JSON.stringify(off));
  }
}
