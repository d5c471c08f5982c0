// Who hears that the OS has ended, and what keeps its last program waiting.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import type { OsPlace } from '#managers/location-manager.ts';
import { controlPort } from '#wire/control.ts';
import { type ControlHandlers, ControlServer } from './control-server.ts';
import { endingOf, sayFarewell, whoIsTold } from './farewell.ts';

const here = { name: 'b', address: '127.0.0.1' };
const os: OsPlace = {
  ...{ osId: 'crab', keys: fakeOs, here: () => here, epoch: () => 9 },
  computer: () => assert.fail('it is given'),
};

const waits = { tellMs: 20_000, awayMs: 5000, settleMs: 0 };

async function computerAt(
  context: TestContext,
  address: string,
  handlers: ControlHandlers,
): Promise<{ name: string; address: string }> {
  const server = new ControlServer(() => 'a', handlers, fakeComputer);
  await server.listen(address, controlPort);
  context.after(() => server.close());
  return { name: 'a', address };
}

test('whoever serves a device is told, and the computer that starts the OS, once each', () => {
  const locations = ['a', 'b', 'c', 'a'].map((computer, at) => ({ device: `disk${at}`, computer, epoch: 9 }));
  assert.deepEqual(whoIsTold({ locations, unaware: [] }, 'b', 'a'), ['a', 'c']);
  const own = [{ device: 'disk0', computer: 'b', epoch: 9 }];
  const unaware = [{ name: 'd', address: '192.0.2.4' }];
  assert.deepEqual(whoIsTold({ locations: own, unaware }, 'b', 'a'), ['d', 'a'], 'a disk that several reach');
});

test('a kernel that is started by another one restarts the OS, too', () => {
  assert.deepEqual(['reboot', 'kexec', 'poweroff', 'halt'].map(endingOf), [
    'restart',
    'restart',
    'off',
    'off',
  ]);
});

test('a computer that is busy is asked again', async t => {
  const asked: unknown[] = [];
  const a = await computerAt(t, '127.0.0.41', {
    ended: request => {
      asked.push(request);
      if (asked.length < 3)
        throw yadoError('busy', { computer: 'a', activity: 'it starts its standby image' });
      return {};
    },
  });
  assert.equal(await sayFarewell(os, a, 'off', waits), undefined);
  assert.equal(asked.length, 3);
  assert.deepEqual(asked[2], { osId: 'crab', epoch: 9, how: 'off' });
});

test('one that has an older state of the OS is not asked twice', async t => {
  const a = await computerAt(t, '127.0.0.42', {
    ended: () => {
      throw yadoError('diskIsOld', { computer: 'a', os: 'crab' });
    },
  });
  assert.match((await sayFarewell(os, a, 'restart', waits)) ?? '', /disk of a is an older/);
});

test('one that is not there keeps nobody waiting as long', async () => {
  const there = { name: 'a', address: '127.0.0.43' };
  assert.match(
    (await sayFarewell(os, there, 'restart', { ...waits, awayMs: 0 })) ?? '',
    /^a does not answer/,
  );
});
