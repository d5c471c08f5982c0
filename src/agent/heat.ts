// Sensors of the computer the OS was started on are not asked where their firmware is not: by what they say there the kernel would
// switch the computer off. What is not asked is kept in a file in memory, which moves with the OS.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { reasonOf } from '#devices/device.ts';
import { criticalZones, switchZone } from '#linux/thermal.ts';
import { log } from './log.ts';

/** What this needs of the kernel; another one in tests. */
export interface Sensors {
  critical(): string[];
  switch(zone: string, isOn: boolean): void;
}

const kernelsOwn: Sensors = { critical: criticalZones, switch: switchZone };

export class Heat {
  readonly #path: string;
  readonly #sensors: Sensors;
  /** Switched off by the last call of `leave`. */
  #lately = false;

  constructor(path = '/run/yado/heat', sensors = kernelsOwn) {
    this.#path = path;
    this.#sensors = sensors;
  }

  /** Before the OS goes to a computer; `isForeign`: with another firmware. Never throws. */
  leave(isForeign: boolean): void {
    this.#lately = isForeign && !existsSync(this.#path);
    if (!this.#lately) return;
    const zones = this.#sensors.critical();
    this.#try(() => writeFileSync(this.#path, zones.map(each => `${each}\n`).join('')));
    for (const each of zones) this.#try(() => this.#sensors.switch(each, false));
    if (zones.length > 0) log(`sensors that are not asked until the OS is back: ${zones.join(', ')}`);
  }

  /** Rolled back: as it was before `leave`. Never throws. */
  goBack(): void {
    if (this.#lately) this.#askAgain();
    this.#lately = false;
  }

  /** The OS has come to a computer. Never throws. */
  arrived(isForeign: boolean): void {
    if (!isForeign) this.#askAgain();
    this.#lately = false;
  }

  #askAgain(): void {
    if (!existsSync(this.#path)) return;
    const zones = readFileSync(this.#path, 'utf8').split('\n').filter(Boolean);
    for (const each of zones) this.#try(() => this.#sensors.switch(each, true));
    rmSync(this.#path);
  }

  #try(step: () => void): void {
    try {
      step();
    } catch (error) {
      log(`a sensor of heat: ${reasonOf(error)}`);
    }
  }
}
