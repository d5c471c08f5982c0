// What a standby is told when it is started from a kernel that came from another computer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { yadoError } from '#core/errors.ts';
import { fakeComputer, fakeOs } from '#managers/fake-keys.ts';
import { controlPort } from '#wire/control.ts';
import { ControlServer } from './control-server.ts';
import { kexecWords, type MoveRequest, wakeTarget } from './source-move.ts';

test('a kernel that has moved knows the firmware of another computer: none of it is passed on', () => {
  assert.deepEqual(kexecWords(0xf5ae0, false), [
    'acpi_rsdp=0xf5ae0',
    'noefi',
    'initcall_blacklist=sysfb_init',
  ]);
});

test('at home only the place of the ACPI tables is repeated', () => {
  assert.deepEqual(kexecWords(0xf5ae0, true), ['acpi_rsdp=0xf5ae0']);
  assert.deepEqual(kexecWords(null, true), []);
});

/** A computer that is a ghost until it was told to become a standby, and away for a while in between. */
async function ghost(address: string, busyTimes: number) {
  const said: string[] = [];
  let busy = busyTimes;
  let role: 'ghost' | 'standby' = 'ghost';
  const server = new ControlServer(
    () => 'a',
    {
      status: () => ({ name: 'a', role }),
      standby: () => {
        said.push('standby');
        if (busy-- > 0) throw yadoError('busy', { computer: 'a', activity: 'it waits' });
        setTimeout(async () => {
          await server.close();
          role = 'standby';
          await server.listen(address, controlPort);
        }, 20); // the answer goes out first
        return {};
      },
    },
    fakeComputer,
  );
  await server.listen(address, controlPort);
  return { said, server };
}

const moveTo = (address: string): MoveRequest => ({
  id: '1',
  osId: 'crab',
  epoch: 3,
  keys: fakeOs,
  here: { name: 'b', address: '127.0.0.1' },
  startedHere: false,
  target: { name: 'a', address },
  acceptRisks: [],
  preCopy: true,
  signal: AbortSignal.timeout(20_000),
});

test('a ghost that is to take in an OS becomes a standby first, also when it is busy at first', async () => {
  const { said, server } = await ghost('127.0.0.31', 1);
  assert.equal(await wakeTarget(moveTo('127.0.0.31')), true);
  assert.deepEqual(said, ['standby', 'standby']);
  assert.equal(await wakeTarget(moveTo('127.0.0.31')), false);
  assert.equal(said.length, 2, 'a standby is left alone');
  await server.close();
});
