// The display of an OS while cards come and go and lenders vanish: what is shown, what is said, and that the OS goes on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { yadoError } from '#core/errors.ts';
import { fakeOs } from '#managers/fake-keys.ts';
import type { Arrival, Drivers } from '../device.ts';
import { Display, type Screen } from './display.ts';
import type { DisplayDriver } from './driver.ts';
import { bgr565 } from './translate.ts';

/** Of computer c, where nobody answers. */
const deafPort = 7499;

const surface = { width: 64, height: 48, lineBytes: 128, format: bgr565 };

function fakeStub() {
  const picture = Buffer.alloc(128 * 48);
  return {
    now: () => ({ surface, picture }),
    picture,
    path: '/dev/fb0',
    watchMode() {
      let told = false;
      return () => {
        const mode = told ? undefined : surface;
        told = true;
        return mode;
      };
    },
    consoles: () => '1-63',
    takeConsoles: () => {},
  };
}

/** A screen that works until `fails` is set. */
class FakeScreen implements DisplayDriver {
  readonly typeName: string;
  fails: Error | undefined;
  closed = 0;
  constructor(typeName: string) {
    this.typeName = typeName;
  }
  async configure() {
    if (this.fails) throw this.fails;
    return { mode: '64x48 at 60 Hz', conversion: 'none' };
  }
  async draw(): Promise<void> {
    if (this.fails) throw this.fails;
  }
  async check(): Promise<void> {
    if (this.fails) throw this.fails;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.closed++;
  }
}

const [b, c] = ['b', 'c'].map((name, index) => ({ name, address: `127.0.0.${index + 2}` })) as [
  Arrival['here'],
  Arrival['here'],
];

/** The display on b, shown at `at`: on what `open` gives, or by the drivers of the class where there is none. */
function world(at: Arrival['at'], open?: () => DisplayDriver, patienceMs = 30) {
  const said: string[] = [];
  const { promise: isGone, resolve: gone } = Promise.withResolvers<void>();
  const stub = fakeStub();
  const display = new Display(stub, { typeName: 'VGA A' }, 2);
  const elsewhere = at === b ? undefined : at.name;
  const screen = { open, patienceMs: at === b ? Number.POSITIVE_INFINITY : patienceMs };
  const arrival: Arrival = {
    here: b,
    at,
    route: <Driver>(drivers: Drivers<Driver>) => {
      const peer = { name: at.name, ip: at.address, port: deafPort, localIp: b.address, keys: fakeOs };
      if (!open) return drivers.there({ peer, osId: 'crab', device: 'display0', epoch: 7 });
      return screen as Screen as Driver;
    },
    signal: new AbortController().signal,
    scan: async () => {},
    gone,
    taken: () => {},
    there: () => assert.fail(),
    changed: () => {},
    say: text => said.push(text),
  };
  const row = () => display.describe(elsewhere);
  const item = (name: string) => row().items.find(each => each.item === name)?.state;
  return { said, isGone, display, arrival, row, item, stub };
}

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; !what(); tries++) {
    assert.ok(tries < 1000, String(what));
    await sleep(3);
  }
}

test('no card: the OS goes on without one, and the screen shows its picture once there is one', async () => {
  let card: FakeScreen | undefined;
  const { said, display, arrival, row, item } = world(b, () => {
    if (!card) throw new Error('there is no display card with a driver that sets modes');
    return card;
  });
  await display.restore(arrival);
  assert.equal(row().way, 'lost');
  assert.match(item('real mode') ?? '', /none: there is no display card/);
  await sleep(20); // it is looked for often and told of once
  assert.deepEqual(said, [
    'display0: nothing is shown on b: there is no display card with a driver that sets modes; looked for every second, or: yado lend display0 --to another computer',
  ]);
  card = new FakeScreen('VGA A');
  await until(() => row().way === 'direct');
  assert.equal(said[1], 'display0: shown on VGA A, 64x48 at 60 Hz');
  await display.hold();
});

test('a card that is pulled out in use, and another plugged in: the stub stays, the other one shows it', async () => {
  const first = new FakeScreen('VGA A');
  let card: FakeScreen | undefined = first;
  const { said, display, arrival, row, stub } = world(b, () => {
    if (!card) throw new Error('there is no display card');
    return card;
  });
  await display.restore(arrival);
  assert.equal(row().way, 'direct');
  first.fails = new Error('ask the display card: no such device');
  card = undefined;
  stub.picture.fill(5); // somebody draws on
  await until(() => row().way === 'lost');
  assert.equal(first.closed, 1);
  card = new FakeScreen('VGA B');
  await until(() => row().way === 'converted');
  assert.match(said.join('; '), /nothing is shown on b: ask the display card: no such device/);
  await display.hold();
  assert.equal(card.closed, 1);
  assert.equal(row().way, 'lost');
});

test('a lender that vanishes is waited for, and given up then', async () => {
  const screen = new FakeScreen('VGA of c');
  const { said, isGone, display, arrival, row } = world(c, () => screen);
  await display.restore(arrival);
  assert.equal(row().way, 'remote');
  const failedAt = performance.now();
  screen.fails = yadoError('unreachable', { computer: 'c', address: '127.0.0.3:7400' });
  await until(() => row().way === 'lost');
  await isGone;
  assert.ok(performance.now() - failedAt >= 30, 'not at once');
  assert.match(
    said.at(-1) ?? '',
    /on c: c does not answer at 127.0.0.3:7400; looked for every second, or: yado return display0$/,
  );
  await display.hold();
});

test('a lender that is away for a moment only is used again', async () => {
  const screen = new FakeScreen('VGA of c');
  let isGiven = false;
  const { isGone, display, arrival, row } = world(c, () => screen, 60_000);
  void isGone.then(() => {
    isGiven = true;
  });
  await display.restore(arrival);
  screen.fails = new Error('c does not answer');
  await until(() => row().way === 'lost');
  screen.fails = undefined;
  await until(() => row().way === 'remote');
  await display.hold();
  assert.equal(isGiven, false);
});

test('a lender that says no, because it was started anew or lends in a newer epoch, is given up at once', async () => {
  for (const no of [
    yadoError('notLentHere', { computer: 'c', device: 'display0' }),
    yadoError('staleEpoch', { device: 'display0', computer: 'c', theirs: 7, ours: 8 }),
  ]) {
    const screen = new FakeScreen('VGA of c');
    screen.fails = no;
    const { isGone, display, arrival } = world(c, () => screen, 60_000);
    await display.restore(arrival);
    await isGone;
    await display.hold();
  }
});

test('while the OS is about to move, a computer that does not answer holds up nothing', async () => {
  const deaf = createServer(socket => socket.on('error', () => {})).listen(deafPort, c.address);
  await once(deaf, 'listening');
  const { display, arrival, said } = world(c);
  const restored = display.restore(arrival);
  await once(deaf, 'connection');
  const started = performance.now();
  await display.hold();
  assert.ok(performance.now() - started < 5000);
  await restored;
  assert.deepEqual(said, []);
  deaf.close();
});
