// Real keyboards that are pulled out, plugged in, taken by others, or send nonsense: no key stays down, nothing ends.
import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { INPUT } from '#linux/abi-input.ts';
import type { InputDevice } from '#linux/input-devices.ts';
import { SystemError } from '#linux/system-error.ts';
import type { InputEvent } from '#wire/input-events.ts';
import { type InputSink, LocalInput } from './driver.ts';
import { HeldKeys } from './held-keys.ts';
import type { RealEvdev } from './real-input.ts';
import { key, makesSense } from './translate.ts';

const { EBUSY, ENODEV } = constants.errno;
const report: InputEvent = { type: INPUT.EV_SYN, code: INPUT.SYN_REPORT, value: 0 };
const [a, shift] = [30, 42];

class FakeEvdev implements RealEvdev {
  isGrabbed = false;
  isClosed = false;
  isPulled = false;
  isTaken = false;
  #queue: InputEvent[] = [];
  #wake: () => void = () => {};

  type(...events: InputEvent[]): void {
    this.#queue.push(...events);
    this.#wake();
  }
  pull(): void {
    this.isPulled = true;
    this.#wake();
  }
  grab(): void {
    this.#there('EVIOCGRAB');
    if (this.isTaken) throw new SystemError('EVIOCGRAB', EBUSY);
    this.isGrabbed = true;
  }
  letGo(): void {
    this.isGrabbed = false;
  }
  keysDown(): number[] {
    this.#there('EVIOCGKEY');
    return [];
  }
  axis() {
    return { value: 0, minimum: 0, maximum: 100 };
  }
  read(): InputEvent[] {
    this.#there('read');
    return this.#queue.splice(0, 64);
  }
  write(): void {
    this.#there('write');
  }
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      this.#wake = resolve;
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      if (this.isPulled || this.#queue.length > 0) resolve();
    });
  }
  [Symbol.dispose](): void {
    this.isClosed = true;
  }
  #there(call: string): void {
    if (this.isPulled) throw new SystemError(call, ENODEV);
  }
}

class Seen implements InputSink {
  readonly events: InputEvent[] = [];
  readonly held = new HeldKeys();
  frame(source: string, events: readonly InputEvent[]): void {
    this.events.push(...this.held.merge(source, events.filter(makesSense)));
  }
  gone(source: string): void {
    this.events.push(...this.held.gone(source));
  }
}

/** A computer into which devices are plugged by name. */
function computer() {
  const plugged = new Map<string, FakeEvdev>();
  const said: string[] = [];
  const seen = new Seen();
  const describe = (name: string): InputDevice => ({
    path: `/dev/input/${name}`,
    id: name,
    name: `keyboard ${name}`,
    kind: 'keyboard',
    absolute: false,
    direct: false,
    touchpad: false,
    hasLights: true,
  });
  const driver = () =>
    new LocalInput(seen, text => said.push(text), {
      list: () => [...plugged.keys()].map(describe),
      open: path => plugged.get(path.slice('/dev/input/'.length))!,
      lookEveryMs: 2,
    });
  const plug = (name: string): FakeEvdev => {
    const evdev = new FakeEvdev();
    plugged.set(name, evdev);
    return evdev;
  };
  return { plugged, plug, said, seen, driver };
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    assert.ok(tries < 1000, String(what));
    await sleep(2);
  }
}

test('a keyboard pulled out with keys down: they come up, it is told, and the next one plugged in works', async () => {
  const { plugged, plug, said, seen, driver } = computer();
  const first = plug('event3');
  const local = driver();
  assert.ok(first.isGrabbed);
  first.type(key(shift, 1), report, key(a, 1), report);
  await until(() => seen.events.length === 2);
  plugged.delete('event3');
  first.pull();
  await until(() => seen.events.length === 4);
  assert.deepEqual(seen.held.codes, []);
  assert.deepEqual(local.names, []);
  assert.ok(first.isClosed);
  assert.deepEqual(said, [
    'keyboard event3 was unplugged; no other is left, the next one plugged in is used',
  ]);
  local.setLights(2); // nothing is there to show it
  const second = plug('event4');
  await until(() => second.isGrabbed);
  second.type(key(a, 1), report, key(a, 0), report);
  await until(() => seen.events.length === 6);
  assert.deepEqual(local.names, ['keyboard event4']);
  await local.release();
  assert.equal(said.length, 1);
});

test('one that goes in the very moment it is found, or that another program has, is tried again', async () => {
  const { plug, said, driver } = computer();
  const [gone, taken] = [plug('event3'), plug('event4')];
  gone.isPulled = true;
  taken.isTaken = true;
  const local = driver();
  assert.deepEqual(local.names, []);
  await sleep(20);
  assert.deepEqual(said, [
    'keyboard event4 at /dev/input/event4 is taken by another program; it is tried again',
  ]);
  taken.isTaken = false;
  gone.isPulled = false;
  await until(() => local.names.length === 2);
  await local.release();
  assert.ok(gone.isClosed && taken.isClosed);
});

test('letting go before a move does not wait for a keyboard on which nobody types', async () => {
  const { plug, driver } = computer();
  const evdev = plug('event3');
  const local = driver();
  const started = performance.now();
  await local.release();
  assert.ok(performance.now() - started < 5000);
  assert.ok(evdev.isClosed);
});

test('nonsense from a device: only keys and steps the stubs have come through, and it works on', async () => {
  const { plug, seen, driver } = computer();
  const evdev = plug('event3');
  const local = driver();
  const u16 = fc.oneof(fc.nat(5), fc.nat(0x2ff), fc.nat(0xffff));
  const event = fc.record({ type: u16, code: u16, value: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40 }), async events => {
      evdev.type(...events, report, key(a, 0), report, key(a, 1), report, key(a, 0), report);
      const before = seen.events.length;
      await until(() => seen.events.length > before && seen.events.at(-1)?.value === 0);
      assert.ok(seen.events.every(makesSense));
    }),
    { numRuns: 50 },
  );
  await local.release();
  assert.deepEqual(seen.held.codes, []);
});
