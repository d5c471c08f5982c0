// CPUs that are not at the next computer: off before the move, on again where they are, by an agent started anew too.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { alpha } from '#core/fixture-computers.ts';
import type { Cpu } from '#linux/cpus.ts';
import { canSwitch, onlineCpus, switchCpu } from '#linux/cpus.ts';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { type CpuSwitches, Cpus } from './cpus.ts';

const folder = mkdtempSync(join(tmpdir(), 'yado-cpus-'));
after(() => rmSync(folder, { recursive: true }));

const computer = (...apicIds: number[]) => ({
  name: 'beta',
  cpu: { ...alpha.cpu, apicIds, count: apicIds.length },
});

/** A kernel that knows CPUs 0 to 3, on a computer that has those with the APIC ids of `has`. */
class FakeKernel implements CpuSwitches {
  readonly on = new Set([0, 1, 2, 3]);
  has: readonly number[] = [0, 2, 4, 6];
  stubborn = -1;
  online(): Cpu[] {
    return [...this.on].toSorted().map(number => ({ number, apicId: number * 2 }));
  }
  canSwitch({ number }: Cpu): boolean {
    return number !== 0;
  }
  switch({ number, apicId }: Cpu, isOn: boolean): void {
    if (number === this.stubborn) throw new Error('EBUSY');
    if (!isOn) return void this.on.delete(number);
    assert.ok(this.has.includes(apicId), `the kernel would wait 10 s for CPU ${number}`);
    this.on.add(number);
  }
}

test('to a smaller computer, to one between, and home', () => {
  const kernel = new FakeKernel();
  const path = join(folder, 'a.json');
  const cpus = new Cpus(path, kernel);
  cpus.fitFor(computer(0));
  assert.deepEqual([...kernel.on], [0]);
  kernel.has = [0];
  cpus.useAll(computer(0));
  assert.deepEqual([...kernel.on], [0]);
  const later = new Cpus(path, kernel);
  later.fitFor(computer(0, 2));
  kernel.has = [0, 2];
  later.useAll(computer(0, 2));
  assert.deepEqual([...kernel.on].toSorted(), [0, 1]);
  kernel.has = [0, 2, 4, 6];
  later.useAll(computer(0, 2, 4, 6));
  assert.deepEqual([...kernel.on].toSorted(), [0, 1, 2, 3]);
  later.useAll(computer(0, 2, 4, 6));
});

test('a move that fails: as before, whatever this kernel believes of the computer it is on', () => {
  const kernel = new FakeKernel();
  const cpus = new Cpus(join(folder, 'd.json'), kernel);
  cpus.fitFor(computer(0, 2));
  kernel.has = [0, 2];
  cpus.fitFor(computer(0));
  cpus.goBack();
  assert.deepEqual([...kernel.on].toSorted(), [0, 1]);
});

test('one that a person has switched off stays off, and one that does not go is no obstacle', () => {
  const kernel = new FakeKernel();
  kernel.on.delete(1);
  kernel.stubborn = 3;
  const cpus = new Cpus(join(folder, 'b.json'), kernel);
  cpus.fitFor(computer(0));
  assert.deepEqual([...kernel.on], [0, 3]);
  cpus.useAll(computer(0, 2, 4, 6));
  assert.deepEqual([...kernel.on].toSorted(), [0, 2, 3]);
});

test('a firmware that names no CPUs is believed in their count', () => {
  const kernel = new FakeKernel();
  const there = { name: 'beta', cpu: { ...alpha.cpu, apicIds: [], count: 2 } };
  const cpus = new Cpus(join(folder, 'c.json'), kernel);
  cpus.fitFor(there);
  assert.deepEqual([...kernel.on], [0, 1]);
  cpus.useAll(there);
  assert.deepEqual([...kernel.on], [0, 1]);
});

test('as the kernel shows them', () => {
  using tree = new FixtureTree({
    'proc/cpuinfo': 'processor\t: 0\napicid\t\t: 0\n\nprocessor\t: 3\nflags\t: ht\napicid\t\t: 6\n\n',
    'sys/devices/system/cpu/cpu3/online': '1',
  });
  const [first, second] = onlineCpus(tree.root);
  assert.deepEqual(second, { number: 3, apicId: 6 });
  assert.deepEqual([canSwitch(first!, tree.root), canSwitch(second!, tree.root)], [false, true]);
  switchCpu(second!, false, tree.root);
  assert.equal(readFileSync(join(tree.root, 'sys/devices/system/cpu/cpu3/online'), 'utf8'), '0');
});
