// A keyboard that is lent: what is typed there comes out here, whatever happens to the network and to the lender.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { yadoError } from '#core/errors.ts';
import { INPUT } from '#linux/abi-input.ts';
import { encodeInputEvents, type InputEvent } from '#wire/input-events.ts';
import type { InputDriver, InputSink } from './driver.ts';
import { HeldKeys } from './held-keys.ts';
import { InputQueue, maxQueued } from './queue.ts';
import { type Lender, RemoteInput } from './remote.ts';
import { InputService } from './service.ts';
import { actualType, type InputState, inputItems, inputWay } from './state.ts';
import { key } from './translate.ts';

const [a, shift] = [30, 42];

class FakeDriver implements InputDriver {
  readonly names = ['Loose keyboard'];
  readonly converts = false;
  lights = 0;
  released = 0;
  setLights(lights: number): void {
    this.lights = lights;
  }
  async release(): Promise<void> {
    this.released++;
  }
}

/** What arrives at the stub, and a promise for the time something does. */
class Screen implements InputSink {
  readonly seen: InputEvent[] = [];
  readonly #held = new HeldKeys();
  #arrived = Promise.withResolvers<void>();
  frame(source: string, events: readonly InputEvent[]): void {
    this.#note(this.#held.merge(source, events));
  }
  gone(source: string): void {
    this.#note(this.#held.gone(source));
  }
  async until(count: number): Promise<void> {
    while (this.seen.length < count) await this.#arrived.promise;
  }
  #note(events: readonly InputEvent[]): void {
    this.seen.push(...events);
    this.#arrived.resolve();
    this.#arrived = Promise.withResolvers();
  }
}

function lent(driver: FakeDriver, unusedAfterMs?: number) {
  let sink: InputSink | undefined;
  let made = 0;
  const service = new InputService(it => {
    sink = it;
    made++;
    return driver;
  }, unusedAfterMs);
  return { service, type: (events: InputEvent[]) => sink?.frame('kbd', events), made: () => made };
}

test('typed there, seen here; the lights go the other way', async () => {
  const driver = new FakeDriver();
  const { service, type } = lent(driver);
  const lender: Lender = { name: 'b', keys: request => service.keys(request), [Symbol.dispose]() {} };
  const screen = new Screen();
  const remote = new RemoteInput(lender, { device: 'input0', epoch: 1, gone() {} }, screen, () => {});
  remote.setLights(2);
  type([key(shift, 1)]);
  type([key(a, 1)]);
  type([key(a, 0)]);
  await screen.until(3);
  assert.deepEqual(screen.seen, [key(shift, 1), key(a, 1), key(a, 0)]);
  assert.deepEqual(remote.names, ['Loose keyboard']);
  await service.keys({ waitMs: 0, leds: 2 });
  assert.equal(driver.lights, 2);
  await Promise.all([remote.release(), service.stop()]);
  assert.deepEqual(screen.seen.at(-1), key(shift, 0));
});

test('a lender that goes away lets go of its keys, is told of once, and asked again', async () => {
  const answers: (InputEvent[] | Error)[] = [
    [key(a, 1)],
    new Error('gone'),
    new Error('gone'),
    [key(shift, 1)],
  ];
  const said: string[] = [];
  const lender: Lender = {
    name: 'b',
    keys: (_, signal) => {
      const answer = answers.shift();
      if (answer instanceof Error) return Promise.reject(answer);
      if (answer) return Promise.resolve({ typeName: 'K', events: encodeInputEvents(answer) });
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    },
    [Symbol.dispose]() {},
  };
  const screen = new Screen();
  const lentDevice = { device: 'input0', epoch: 1, retryMs: 1, gone() {} };
  const remote = new RemoteInput(lender, lentDevice, screen, text => said.push(text));
  await screen.until(2);
  assert.deepEqual(screen.seen, [key(a, 1), key(a, 0)]);
  assert.deepEqual(remote.names, []);
  await screen.until(3);
  await remote.release();
  assert.deepEqual(screen.seen.slice(2), [key(shift, 1), key(shift, 0)]);
  assert.deepEqual(said, [
    'the keyboard of b is away: gone; it is asked again, or: yado return input0',
    'the keyboard of b is there again',
  ]);
});

test('a lender whose keyboard was pulled out has none: the device is lost, and there again with the next one', async () => {
  let plugged: string[] = [];
  const driver = new FakeDriver();
  Object.defineProperty(driver, 'names', { get: () => plugged });
  const { service } = lent(driver);
  let asked = 0;
  const lender: Lender = {
    name: 'b',
    keys(request) {
      asked++;
      return service.keys(request);
    },
    [Symbol.dispose]() {},
  };
  const remote = new RemoteInput(lender, { device: 'input0', epoch: 1, gone() {} }, new Screen(), () => {});
  while (asked < 2) await new Promise(resolve => setTimeout(resolve, 1));
  assert.deepEqual(remote.names, []);
  plugged = ['USB keyboard'];
  while (asked < 4) await new Promise(resolve => setTimeout(resolve, 1));
  assert.deepEqual(remote.names, ['USB keyboard']);
  await Promise.all([remote.release(), service.stop()]);
});

test('a lender that says no, or stays away, is given up', async () => {
  const no = yadoError('notLentHere', { computer: 'b', device: 'input0' });
  for (const [error, isPatient] of [[no, false] as const, [new Error('no answer'), true] as const]) {
    let asked = 0;
    const lender: Lender = {
      name: 'b',
      keys: () => {
        asked++;
        return Promise.reject(error);
      },
      [Symbol.dispose]() {},
    };
    const { promise: isGone, resolve: gone } = Promise.withResolvers<void>();
    const lentDevice = { device: 'input0', epoch: 1, retryMs: 1, goneMs: 200, gone };
    const started = performance.now();
    const remote = new RemoteInput(lender, lentDevice, new Screen(), () => {});
    await isGone;
    await remote.release();
    assert.equal(asked > 1, isPatient);
    if (isPatient) assert.ok(performance.now() - started >= 200);
  }
});

test('a lender that sends garbage: nothing of it is typed, its keys are let go, and it is told of', async () => {
  const answers = [encodeInputEvents([key(a, 1)]), new Uint8Array(7), new Uint8Array(8 * 513), undefined];
  const said: string[] = [];
  const lender: Lender = {
    name: 'b',
    keys: (_, signal) => {
      const events = answers.shift();
      if (events) return Promise.resolve({ typeName: 'K', events });
      return new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error)),
      );
    },
    [Symbol.dispose]() {},
  };
  const screen = new Screen();
  const lentDevice = { device: 'input0', epoch: 1, retryMs: 1, gone() {} };
  const remote = new RemoteInput(lender, lentDevice, screen, text => said.push(text));
  while (answers.length > 0) await new Promise(resolve => setTimeout(resolve, 1));
  await remote.release();
  assert.deepEqual(screen.seen, [key(a, 1), key(a, 0)]);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /the keyboard of b is away: .*7 bytes of input events/);
});

test('a keyboard nobody asks for is given back, and taken again when asked for', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const driver = new FakeDriver();
  const { service, made } = lent(driver, 1000);
  await service.keys({ waitMs: 0, leds: 0 });
  t.mock.timers.tick(900);
  await service.keys({ waitMs: 0, leds: 0 });
  t.mock.timers.tick(900);
  assert.equal(driver.released, 0);
  t.mock.timers.tick(200);
  assert.equal(driver.released, 1);
  await service.keys({ waitMs: 0, leds: 0 });
  assert.equal(made(), 2);
  await service.stop();
});

test('a second question ends the wait of the first', async () => {
  const { service, type } = lent(new FakeDriver());
  const first = service.keys({ waitMs: 20_000, leds: 0 });
  const second = service.keys({ waitMs: 20_000, leds: 0 });
  assert.equal((await first).events.length, 0);
  type([key(a, 1)]);
  assert.equal((await second).events.length, 8);
  await service.stop();
});

test('a queue nobody empties stays small, and no key stays down for the one who takes from it', () => {
  const event = fc.oneof(
    fc.tuple(fc.integer({ min: 1, max: 200 }), fc.constantFrom<0 | 1>(0, 1)).map(([c, v]) => key(c, v)),
    fc.constant<InputEvent>({ type: INPUT.EV_REL, code: INPUT.REL_X, value: 1 }),
  );
  const frames = fc.array(fc.tuple(fc.array(event, { maxLength: 40 }), fc.boolean()), { maxLength: 60 });
  fc.assert(
    fc.property(frames, steps => {
      const [queue, here, there] = [new InputQueue(), new HeldKeys(), new HeldKeys()];
      for (const [events, isTaken] of steps) {
        queue.push(here.merge('k', events));
        if (isTaken) there.merge('q', queue.take());
      }
      queue.push(here.gone('k'));
      const last = queue.take();
      assert.ok(last.length <= maxQueued);
      there.merge('q', last);
      assert.deepEqual(there.codes, []);
    }),
  );
});

test('the table names the way', () => {
  const base: InputState = {
    names: ['AT keyboard'],
    converts: false,
    lender: undefined,
    lights: 2,
    keysHeld: [a],
    eventsPassed: 7,
    stubs: ['/dev/input/event5'],
  };
  const osType = 'AT keyboard, PS/2 Mouse';
  assert.equal(inputWay(osType, base), 'direct');
  assert.equal(inputWay(osType, { ...base, names: ['USB keyboard'] }), 'converted');
  assert.equal(inputWay(osType, { ...base, converts: true }), 'converted');
  assert.equal(inputWay(osType, { ...base, lender: 'b' }), 'remote');
  assert.equal(inputWay(osType, { ...base, names: [], lender: 'b' }), 'lost');
  assert.equal(actualType({ ...base, lender: 'b' }), 'AT keyboard of b');
  assert.deepEqual(
    inputItems(base).map(each => each.state),
    ['/dev/input/event5', `key ${a}`, 'Caps Lock', '7'],
  );
  assert.match(inputItems({ ...base, stubs: [] })[0]?.state ?? '', /no uinput/);
});
