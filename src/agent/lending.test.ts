// Lending as both sides see it: what the location table says, who is told, and who is turned away.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { ask } from '#managers/control-client.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { type LendableList, loadServices } from '#managers/service-list.ts';
import { controlPort } from '#wire/control.ts';
import { ControlServer } from './control-server.ts';
import { deviceHandlers } from './device-handlers.ts';
import { Lending, type LendingWorld } from './lending.ts';
import { LentDevices } from './lent-devices.ts';

mock.method(console, 'log', () => {});

const services = await loadServices();

/** Devices of a lender that do nothing but remember. */
function fakeClasses() {
  const open: string[] = [];
  const service = (typeName: string) => async () => {
    open.push(typeName);
    const service = {
      stop: async () => void open.splice(open.indexOf(typeName), 1),
      screen: async () => ({ typeName, mode: '640x480', conversion: 'none' }),
      draw: async () => ({}),
      keys: async () => ({ typeName, events: new Uint8Array(0) }),
    };
    return { typeName, service };
  };
  const noPrinter = async () => {
    throw new Error('there is no printer');
  };
  const classes: LendableList = {
    ...services,
    display: { lend: { messages: ['screen', 'draw'], open: service('a screen') } },
    input: { lend: { messages: ['keys'], open: service('a keyboard') } },
    printer: { lend: { messages: ['print'], open: noPrinter } },
  };
  return { open, classes };
}

async function lender(address: string, quietMs = 60_000) {
  const { open, classes } = fakeClasses();
  const load = async (name: string): Promise<void> => void loaded.push(name);
  const loaded: string[] = [];
  const lent = new LentDevices('c', quietMs, load, () => {}, classes);
  const server = new ControlServer(
    () => 'c',
    { ...lent.handlers, ...deviceHandlers(undefined, lent) },
    fakeComputer,
  );
  await server.listen(address, controlPort);
  return { open, loaded, lent, server };
}

/** An OS on computer b that knows c at `address`. */
function world(address: string) {
  const at: Record<string, string> = { display0: 'b', disk0: 'a', printer0: 'a' };
  const classes = { display0: 'display', disk0: 'disk', printer0: 'printer' } as const;
  const computers = { b: '127.0.0.1', c: address };
  const placed: string[] = [];
  const real: LendingWorld = {
    osId: 'crab',
    keys: fakeOs,
    here: () => ({ name: 'b', address: '127.0.0.1' }),
    epoch: () => 5,
    computer: name => ({ name, address: computers[name as keyof typeof computers] }),
    device: id => ({ class: classes[id as keyof typeof classes], at: at[id]! }),
    place: async (device, computer) => {
      at[device] = computer;
      placed.push(`${device} to ${computer}`);
    },
  };
  return { placed, real, lending: new Lending(real) };
}

test('a screen is lent and comes back', async () => {
  const { open, loaded, server } = await lender('127.0.0.21');
  const { placed, lending } = world('127.0.0.21');
  assert.deepEqual(await lending.lend({ device: 'display0', to: 'c' }), {
    device: 'display0',
    computer: 'c',
    typeName: 'a screen',
  });
  assert.deepEqual([loaded, open], [['display'], ['a screen']]);
  assert.deepEqual(lending.former, { display0: 'b' });
  await assert.rejects(lending.lend({ device: 'display0', to: 'c' }), { code: 'alreadyThere' });
  await lending.return({ device: 'display0' });
  assert.deepEqual(placed, ['display0 to c', 'display0 to b']);
  for (let tries = 0; open.length > 0 && tries < 500; tries++) await new Promise(setImmediate);
  assert.deepEqual(open, []);
  await assert.rejects(lending.return({ device: 'display0' }), { code: 'notLent' });
  await server.close();
});

test('a disk is not lent, a computer without printer lends none, and nothing has changed then', async () => {
  const { server } = await lender('127.0.0.22');
  const { placed, lending } = world('127.0.0.22');
  await assert.rejects(lending.lend({ device: 'disk0', to: 'c' }), { code: 'notLendable' });
  await assert.rejects(lending.lend({ device: 'printer0', to: 'c' }), {
    code: 'nothingToLend',
    message: 'c has no printer to lend: there is no printer.',
  });
  assert.deepEqual([placed, lending.former], [[], {}]);
  await server.close();
});

test('before the OS moves to a lender, what it lends goes back', async () => {
  const { server } = await lender('127.0.0.26');
  const { placed, lending } = world('127.0.0.26');
  await lending.lend({ device: 'display0', to: 'c' });
  await lending.returnAllFrom('a');
  assert.deepEqual(placed, ['display0 to c']);
  await lending.returnAllFrom('c');
  assert.deepEqual(placed, ['display0 to c', 'display0 to b']);
  await server.close();
});

test('a lender that is gone: the OS uses its own device again', async () => {
  const { server } = await lender('127.0.0.23');
  const { placed, lending } = world('127.0.0.23');
  await lending.lend({ device: 'display0', to: 'c' });
  await server.close();
  lending.gone('display0');
  for (let tries = 0; placed.length < 2 && tries < 500; tries++) await new Promise(setImmediate);
  assert.deepEqual(placed, ['display0 to c', 'display0 to b']);
});

test('older epochs, other devices and other systems are turned away', async () => {
  const { lent, server } = await lender('127.0.0.24');
  const { lend, giveBack } = lent.handlers;
  const asked = { osId: 'crab', device: 'display0', class: 'display', epoch: 5 } as const;
  await lend(asked);
  await assert.rejects(lend({ ...asked, osId: 'lobster' }), { code: 'lentToAnother' });
  await assert.rejects(lend({ ...asked, epoch: 4 }), { code: 'staleEpoch' });
  const draw = { device: 'display0', epoch: 5, rects: [] };
  assert.throws(() => lent.answer('draw', { ...draw, epoch: 4 }, 'crab'), { code: 'staleEpoch' }, 'crab');
  assert.throws(
    () => lent.answer('draw', { ...draw, device: 'display1' }, 'crab'),
    { code: 'notLentHere' },
    'crab',
  );
  const peer = { name: 'c', ip: '127.0.0.24', port: controlPort, keys: fakeOs };
  assert.deepEqual(await ask(peer, 'draw', { ...draw, epoch: 6 }, { timeoutMs: 5000 }), {});
  await assert.rejects(giveBack({ device: 'display0', epoch: 5 }, 'crab'), { code: 'staleEpoch' });
  await server.close();
});

test('an older copy of the OS is told which computer has its device, and in which epoch', async () => {
  const { lent, server } = await lender('127.0.0.27');
  await lent.handlers.lend({ osId: 'crab', device: 'display0', class: 'display', epoch: 6 });
  const { placed, lending } = world('127.0.0.27'); // in epoch 5
  await assert.rejects(lending.lend({ device: 'display0', to: 'c' }), {
    code: 'staleEpoch',
    message: 'c has display0 in epoch 6 of the OS; what came is of epoch 5, from an older copy of it.',
    hint: 'yado where',
  });
  assert.deepEqual([placed, lending.former], [[], {}]);
  await server.close();
});

test('a computer that is away lends nothing: it is named, and nothing has changed', async () => {
  const { placed, lending } = world('127.0.0.28');
  await assert.rejects(lending.lend({ device: 'display0', to: 'c' }), {
    code: 'unreachable',
    message: 'c does not answer at 127.0.0.28:7400.',
  });
  assert.deepEqual([placed, lending.former], [[], {}]);
});

test('a lender that vanished can be left by hand too, and holds up no move', async () => {
  const { server } = await lender('127.0.0.29');
  const { placed, lending } = world('127.0.0.29');
  await lending.lend({ device: 'display0', to: 'c' });
  await server.close();
  await lending.returnAllFrom('c');
  assert.deepEqual(placed, ['display0 to c', 'display0 to b']);
  await assert.rejects(lending.return({ device: 'display0' }), { code: 'notLent' });
});

test('a lent device that breaks is told with its name and computer, and is no fault of the agent', async () => {
  const pulled = async () => {
    throw new Error('draw on the screen: no such device');
  };
  const noKeyboard = async () => ({ typeName: 'a keyboard', service: { stop: pulled } });
  const classes: LendableList = {
    ...services,
    display: {
      lend: {
        messages: ['draw'],
        open: async () => ({ typeName: 'a screen', service: { stop: pulled, draw: pulled } }),
      },
    },
    input: { lend: { messages: [], open: noKeyboard } },
    printer: {
      lend: {
        messages: ['print'],
        open: async () => ({ typeName: 'a printer', service: { stop: pulled, print: pulled } }),
      },
    },
  };
  const lent = new LentDevices(
    'c',
    60_000,
    async () => {},
    () => {},
    classes,
  );
  const of = { osId: 'crab', epoch: 5 };
  await lent.handlers.lend({ ...of, device: 'display0', class: 'display' });
  await lent.handlers.lend({ ...of, device: 'printer0', class: 'printer' });
  await assert.rejects(async () => lent.answer('draw', { device: 'display0', epoch: 5, rects: [] }, 'crab'), {
    code: 'deviceAway',
    message: 'display0 at c does not work: draw on the screen: no such device.',
    hint: /yado return display0$/,
  });
  const nothing = { first: 0, delivered: 0, data: new Uint8Array(0), hold: false };
  await assert.rejects(async () => lent.answer('print', { ...of, device: 'printer0', ...nothing }, 'crab'), {
    code: 'deviceAway',
  });
  await lent.handlers.giveBack({ device: 'display0', epoch: 5 }, 'crab'); // whatever the card says of it
  assert.deepEqual(lent.words, ['a printer to crab']);
});

test('what nobody asks for any more comes back by itself', async () => {
  const { open, lent, server } = await lender('127.0.0.25', 20);
  await lent.handlers.lend({ osId: 'crab', device: 'input0', class: 'input', epoch: 1 });
  for (let tries = 0; open.length > 0 && tries < 200; tries++)
    await new Promise(resolve => setTimeout(resolve, 5));
  assert.deepEqual([open, lent.words], [[], []]);
  await server.close();
});
