// What the lab's stories share: a booted lab, parts of a story told one after the other, and what must hold after each.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { DeviceLocationRow } from '#core/device-location-table.ts';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import type { History, HistoryEntry } from '#core/history.ts';
import type { Computer } from '#lab/computer.ts';
import type { Lab } from '#lab/lab.ts';
import { repositoryDir } from '#lab/paths.ts';
import { asBgr565, isExact565 } from '#lab/picture.ts';
import { waitFor } from '#lab/time.ts';
import { checkWorkload } from '#lab/workload.ts';

/** A folder for what a story leaves to read. */
export function evidenceFolder(name: string): string {
  const folder = join(repositoryDir, 'lab/out', name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

export type Story = (name: string, body: () => Promise<void>) => void;

/**
 * Gives `story`, which runs one part and keeps what is needed to understand a failure. Once a part has failed so that
 * `goesOn` says no, the parts behind it fail at once.
 */
export function storiesOf(lab: () => Lab, evidence: string, goesOn: () => Promise<boolean>): Story {
  let failed = false;
  return (name, body) =>
    void test(name, async () => {
      assert.ok(!failed, 'an earlier part of the story failed');
      try {
        await body();
      } catch (error) {
        failed = !(await goesOn().catch(() => false));
        await lab()
          .evidence(join(evidence, name.replace(/\W+/g, '-')))
          .catch(() => {});
        console.log(`# ${String(error).slice(0, 2000)}`);
        throw error;
      }
    });
}

/** What a command prints, as JSON. */
export async function json<T>(computer: Computer, command: string): Promise<T> {
  return JSON.parse(await computer.shell(command, { timeoutMs: 60_000 })) as T;
}

export const bootIdOf = (computer: Computer): Promise<string> =>
  computer.shell('cat /proc/sys/kernel/random/boot_id', { timeoutMs: 30_000 });

/** Waits until the agent of a computer answers and says what `pattern` wants. */
export async function agentSays(computer: Computer, pattern = /./, timeoutMs = 180_000): Promise<void> {
  await waitFor(
    `the agent of ${computer.name} to say ${pattern}`,
    async () => {
      const { code, output } = await computer.exec('yado status', { timeoutMs: 60_000 });
      return code === 0 && pattern.test(output) ? true : undefined;
    },
    { timeoutMs },
  );
}

/** Waits until a computer can take in an OS. */
export async function standbyReady(computer: Computer): Promise<void> {
  await computer.ready();
  await agentSays(computer);
}

/** Fault points (docs/faults.md) of the next move, on the computer whose steps they are. */
export const armed = (computer: Computer, faults: string): Promise<string> =>
  computer.shell(`echo '${faults}' > /run/yado/faults`);

export async function deviceRow(computer: Computer, device: string): Promise<DeviceStatusRow> {
  const rows = await json<DeviceStatusRow[]>(computer, 'yado devices --json');
  const row = rows.find(each => each.device === device);
  assert.ok(row, `no ${device} in the device status table of ${computer.name}`);
  return row;
}

/** State of one item of a device, such as "video mode". */
export async function itemOf(computer: Computer, device: string, item: string): Promise<string> {
  const { items } = await deviceRow(computer, device);
  return items.find(each => each.item === item)?.state ?? '';
}

/** The device location table, as device → computer. */
export async function places(computer: Computer): Promise<Record<string, string>> {
  const rows = await json<DeviceLocationRow[]>(computer, 'yado where --json');
  return Object.fromEntries(rows.map(each => [each.device, each.computer]));
}

/** The programs of the workload run and have found nothing changed. */
export async function worksOn(computer: Computer): Promise<void> {
  const work = await checkWorkload(computer);
  assert.equal(work.memoryErrors + work.cpuErrors, 0);
}

/**
 * What must hold at `at` after a move that failed: the OS of that boot id, what `holds` asserts of its programs and
 * tables, and one clear sentence for a person. @returns what its history says of that move
 */
export async function goesOnAt(
  at: Computer,
  bootId: string,
  { code, output }: { code: number; output: string },
  sentence: RegExp,
  holds: () => Promise<void>,
): Promise<HistoryEntry> {
  assert.notEqual(code, 0, output);
  assert.match(output, sentence);
  assert.match(output, /next: /);
  assert.equal(await bootIdOf(at), bootId);
  await holds();
  const [entry] = await json<History>(at, 'yado history --json');
  assert.ok(entry && entry.outcome !== 'moved');
  return entry;
}

/** Checksum of what is on the screen, when that is a picture of the framebuffer's kind at all. */
async function sumOfScreen(computer: Computer): Promise<string | undefined> {
  const picture = await computer.pixels();
  const isLikeIt = isExact565(picture) && picture.width === 1280 && picture.height === 1024;
  return isLikeIt ? crc32(asBgr565(picture)).toString(16).padStart(8, '0') : undefined;
}

/**
 * The screen of `computer` shows the framebuffer of the OS that is at `at`, pixel for pixel. The cursor blinks, and the
 * table takes seconds to be read: the screen is looked at all that time, and must have shown what the table says.
 */
export async function showsStub(computer: Computer, at: Computer): Promise<void> {
  assert.match(await itemOf(at, 'display0', 'video mode'), /^1280x1024, 65536 colours/);
  let last = '';
  await waitFor(
    `the screen of ${computer.name} to equal the framebuffer`,
    async () => {
      const seen = new Set([await sumOfScreen(computer)]);
      const reading = itemOf(at, 'display0', 'framebuffer');
      let framebuffer: string | undefined;
      void reading.then(
        text => {
          framebuffer = text;
        },
        () => {
          framebuffer = '';
        },
      );
      while (framebuffer === undefined) {
        seen.add(await sumOfScreen(computer));
        await delay(100);
      }
      const sums = [...seen].filter(sum => sum !== undefined);
      last = `the screen showed ${sums.join(', ')}, the framebuffer is ${await reading}`;
      return sums.some(sum => framebuffer?.includes(sum)) ? true : undefined;
    },
    { timeoutMs: 90_000, everyMs: 200 },
  ).catch((error: Error) => {
    throw new Error(`${error.message}; ${last}`);
  });
}

/** How the kernel names a task that would not freeze: with its stack. It is no complaint about itself. */
const unfrozenTask = /Freezing [^\n]* failed after[\s\S]*?<\/TASK>/g;

/** How a kernel of that time thaws an OS whose frozen helper was killed: its ghost's threads still bear the exemption. */
export const thawOfKilledHelper = /WARNING: [^\n]* thaw_processes\+[\s\S]*?---\[ end trace/g;

/** No kernel of these computers has complained since they were switched on; `expected`: what a fault had to bring about. */
export function noKernelComplaint(computers: readonly Computer[], expected?: RegExp): void {
  for (const each of computers) {
    const log = each.serialLog().replaceAll(unfrozenTask, '');
    const complaint = /.*(?:WARNING: |BUG: |Oops|Call Trace)[\s\S]{0,600}/.exec(
      expected ? log.replaceAll(expected, '') : log,
    );
    assert.equal(complaint?.[0], undefined, `the kernel of ${each.name}`);
  }
}
