// The devices of an OS together: a printer that keeps the OS from leaving, and one that is plugged in while it runs.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { yadoError } from '#core/errors.ts';
import type { Device } from '#devices/device.ts';
import type { Piece, PrintAnswer, PrinterDriver } from '#devices/printer/driver.ts';
import { Printer } from '#devices/printer/printer.ts';
import type { Spool } from '#devices/printer/spool.ts';
import { readyStatus } from '#devices/printer/translate.ts';
import { SystemError } from '#linux/system-error.ts';
import { DeviceList } from '#managers/device-list.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { controlPort } from '#wire/control.ts';
import { ControlServer } from './control-server.ts';
import { OsDevices } from './os-devices.ts';
import { outcomeOf } from './outcome.ts';

mock.method(console, 'log', () => {});

/** Address of computer c. */
const lender = '127.0.0.41';

/** A device that remembers what was done to it. */
function fakeDevice(id: string, did: string[]): Device {
  return {
    id,
    isMadeHere: true,
    describe: () => ({ device: id, class: 'display', osType: id, actualType: id, way: 'direct', items: [] }),
    pciAddress: () => undefined,
    plans: () => ({}),
    leaveBehind: () => undefined,
    hold: async () => void did.push(`${id} held`),
    restore: async () => void did.push(`${id} restored`),
  };
}

/** A port whose driver in the kernel does not return until the printer is switched off and on. */
class StuckPort implements PrinterDriver {
  readonly wholeJobs = false;
  readonly pieceBytes = 100;
  readonly printed: string[] = [];
  stuck: Promise<void> | undefined;
  begun = 0;
  async print({ first, data }: Piece): Promise<PrintAnswer> {
    if (data.length > 0) {
      this.begun++;
      await this.stuck;
      this.printed.push(Buffer.from(data).toString());
    }
    return { delivered: first + data.length, received: first + data.length, status: readyStatus };
  }
  async settle(delivered: number): Promise<number> {
    return delivered;
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

const place = { kind: 'parallel', name: 'lp0', identity: '' } as const;
const known = { typeName: 'printer at /dev/lp0', place, deviceId: 'MFG:Crab;', actualName: '' };

function fakePrinter(
  context: TestContext,
  port: PrinterDriver | (() => PrinterDriver),
  { endMs = 2000, hasCuse = true } = {},
) {
  const spoolFolder = mkdtempSync(join(tmpdir(), 'yado-spool-'));
  context.after(() => rmSync(spoolFolder, { recursive: true }));
  let spool: Spool | undefined;
  const printer = new Printer(known, {
    spoolFolder,
    driverOf: typeof port === 'function' ? port : () => port,
    makeStub: async it => {
      spool = it;
      if (!hasCuse) throw new SystemError('open', constants.errno.ENOENT, '/dev/cuse');
      return { path: '/dev/usb/lp99', roomAgain: () => {}, [Symbol.dispose]: () => {} };
    },
    stopMs: [5, endMs],
  });
  return { printer, write: (text: string) => spool?.push(Buffer.from(text)), spool: () => spool };
}

/** The class of a printer that may come while the OS runs. */
const pluggedIn = (probe: () => Printer | undefined): DeviceList =>
  new DeviceList({ printer: { probe, mayComeLater: true } });

function osWith(devices: readonly Device[], look: DeviceList['lookAgain'] = it => it) {
  const state = { isMoving: false, saved: 0, here: 'a', epoch: 5 };
  const os = new OsDevices(
    {
      osId: 'crab',
      keys: fakeOs,
      here: () => ({ name: state.here, address: '127.0.0.1' }),
      epoch: () => state.epoch,
      computer: name => ({ name, address: name === 'c' ? lender : '127.0.0.1' }),
      changed: () => {
        state.saved++;
      },
      isMoving: () => state.isMoving,
    },
    undefined,
    { probe: () => [...devices], lookAgain: look },
  );
  return { os, state };
}

test('a printer stuck in mid-print keeps the OS here: it says which and what to do, and all devices come back', async t => {
  const did: string[] = [];
  const port = new StuckPort();
  const { printer, write, spool } = fakePrinter(t, port, { endMs: 10 });
  const { os } = osWith([fakeDevice('disk0', did), printer, fakeDevice('display0', did)]);
  await os.restore();
  const { promise, resolve: switchedOffAndOn } = Promise.withResolvers<void>();
  port.stuck = promise;
  write('one ');
  while (port.begun === 0) await sleep(1);

  const refused = await os.hold().catch((error: unknown) => error);
  assert.ok(refused instanceof Error && 'hint' in refused);
  assert.equal(
    refused.message,
    "a could not let go of printer0 (printer at /dev/lp0) in mid-print: the kernel's driver does not return from a write; switch the printer off and on, then move again; the OS goes on at a.",
  );
  assert.match(String(refused.hint), /^yado devices; /);
  assert.equal(outcomeOf(refused as Parameters<typeof outcomeOf>[0], undefined), 'rolledBack');

  // What Active does then: see #comeBack.
  did.length = 0;
  await os.restore();
  assert.deepEqual(did.sort(), ['disk0 restored', 'display0 restored']);
  assert.equal(spool()?.bottomless, false);
  write('two ');
  await assert.rejects(os.hold(), { code: 'deviceLeaveFailed' }); // tried again too soon
  await os.restore();

  switchedOffAndOn();
  port.stuck = undefined;
  while (spool()?.size !== 0) await sleep(1);
  assert.equal(port.printed.join(''), 'one two ');
  await os.hold();
  assert.equal(did.at(-1), 'display0 held');
});

test('a printer that is plugged in while the OS runs: its stub, its row in both tables, and it leaves after the disk', async t => {
  const { printer } = fakePrinter(t, new StuckPort());
  let plugged: Printer | undefined;
  const { os, state } = osWith([fakeDevice('disk0', []), fakeDevice('network0', [])], (devices, probed) =>
    pluggedIn(() => plugged).lookAgain(devices, probed),
  );
  await os.restore();
  await os.look();
  assert.equal(state.saved, 0);
  plugged = printer;
  state.here = 'b';
  await os.look();
  assert.deepEqual(
    os.table().map(each => each.device),
    ['disk0', 'printer0', 'network0'],
  );
  const row = os.table()[1];
  assert.deepEqual([row?.osType, row?.way], ['printer at /dev/lp0', 'direct']);
  assert.ok(row?.items.some(each => each.state === '/dev/usb/lp99'));
  assert.deepEqual(os.where[2], { device: 'printer0', computer: 'b', epoch: 5 });
  assert.equal(state.saved, 1);
  assert.deepEqual(os.saved.devices.printer0, known);
  await os.look(); // it is known now
  plugged = undefined;
  await os.look(); // unplugged: it may come again
  assert.equal(os.table().length, 3);
  await os.hold();
});

test('once a move was called for nothing comes in, but for what was there the moment before', async t => {
  const { printer } = fakePrinter(t, new StuckPort());
  const { os, state } = osWith([fakeDevice('disk0', [])], (devices, probed) =>
    pluggedIn(() => printer).lookAgain(devices, probed),
  );
  state.isMoving = true;
  await os.look();
  assert.equal(os.table().length, 1);
  await os.ready(undefined, new AbortController().signal);
  assert.equal(os.table().length, 2);
  await os.hold();
});

test('a printer that cannot be taken in is told of once, and the other devices go on', async () => {
  const said = mock.method(console, 'log', () => {});
  const { os } = osWith([fakeDevice('disk0', [])], () => {
    throw new Error('no room for the spool');
  });
  await os.look();
  await os.look();
  const told = said.mock.calls.map(each => each.arguments.join(' ')).filter(each => each.includes('no room'));
  assert.equal(told.length, 1);
  assert.equal(os.table().length, 1);
});

test('a lender of a printer that lends it no more: the OS prints on the one of before, every byte once', async t => {
  const port = new StuckPort();
  const { printer, write, spool } = fakePrinter(t, port);
  const { os, state } = osWith([printer]);
  await os.restore();
  const server = new ControlServer(
    () => 'c',
    {
      lend: () => ({ typeName: 'printer at lp0' }),
      print: ({ device }) => {
        throw yadoError('notLentHere', { computer: 'c', device });
      },
    },
    fakeComputer,
  );
  await server.listen(lender, controlPort);
  const said = mock.method(console, 'log', () => {});
  await os.lending.lend({ device: 'printer0', to: 'c' });
  assert.equal(os.where[0]?.computer, 'c');
  write('abc');
  while (spool()?.size !== 0) await sleep(2);
  assert.equal(port.printed.join(''), 'abc');
  assert.equal(os.where[0]?.computer, state.here);
  assert.deepEqual(os.lending.former, {});
  const told = said.mock.calls.map(each => each.arguments.join(' '));
  assert.ok(
    told.includes(
      'printer0: c does not print: c does not lend printer0 (any more); what is printed is kept until it does',
    ),
    told.join('; '),
  );
  await os.hold();
  await server.close();
});

test('a computer with the printer that vanishes: the bytes wait, and the OS can move meanwhile', async t => {
  const { printer, write, spool } = fakePrinter(t, new StuckPort());
  const { os } = osWith([printer]);
  await os.restore();
  const server = new ControlServer(() => 'c', { lend: () => ({ typeName: 'printer at lp0' }) }, fakeComputer);
  await server.listen(lender, controlPort);
  await os.lending.lend({ device: 'printer0', to: 'c' });
  await server.close();
  write('abc');
  const items = (): string =>
    os
      .table()[0]
      ?.items.map(each => each.state)
      .join() ?? '';
  for (let tries = 0; !items().includes('off line'); tries++) {
    assert.ok(tries < 500);
    await sleep(5);
  }
  const started = performance.now();
  await os.hold();
  assert.ok(performance.now() - started < 10_000);
  assert.equal(spool()?.size, 3);
  assert.equal(os.where[0]?.computer, 'c');
});

test('without CUSE programs find no printer, what was accepted is printed, and a person reads what to type', async t => {
  const port = new StuckPort();
  const { printer, write, spool } = fakePrinter(t, port, { hasCuse: false });
  const { os } = osWith([printer]);
  const said = mock.method(console, 'log', () => {});
  await os.restore();
  const told = said.mock.calls.map(each => each.arguments.join(' ')).join('; ');
  assert.match(told, /printer0: programs find no printer: open \/dev\/cuse: .*modprobe cuse/);
  assert.ok(os.table()[0]?.items.some(each => each.state === 'nothing: no CUSE'));
  write('abc');
  while (spool()?.size !== 0) await sleep(1);
  await os.hold();
});

test('a device that does not come up: its name, the computer, why, what to type; the others come up', async () => {
  const did: string[] = [];
  const broken: Device = {
    ...fakeDevice('display0', did),
    restore: () => Promise.reject(new Error('a screen on VGA bochs-drm did not appear within 10 s')),
  };
  const { os } = osWith([fakeDevice('disk0', did), broken, fakeDevice('input0', did)]);
  const said = mock.method(console, 'log', () => {});
  await os.restore();
  assert.deepEqual(did.sort(), ['disk0 restored', 'input0 restored']);
  assert.deepEqual(said.mock.calls.at(-1)?.arguments, [
    'display0: a could not bring up display0: a screen on VGA bochs-drm did not appear within 10 s. (yado devices; what the agent says: journalctl -b -u yadod)',
  ]);
});

test('of moves that are over a printer keeps nothing in memory', async t => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const drivers: WeakRef<StuckPort>[] = [];
  const { printer } = fakePrinter(t, () => {
    const port = new StuckPort();
    drivers.push(new WeakRef(port));
    return port;
  });
  const { os } = osWith([printer]);
  for (let move = 0; move < 6; move++) {
    await os.restore();
    await os.hold();
  }
  const kept = (): number => drivers.filter(each => each.deref()).length;
  for (let look = 0; look < 50 && kept() > 1; look++) {
    await sleep(1); // what is weak is let go of between two tasks
    collect();
  }
  assert.equal(drivers.length, 6);
  assert.ok(kept() <= 1, `${kept()} of 6 are kept`);
});
