// The ports of an OS: all or none, tried again for an OS that runs here, and closed for good before a freeze.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { OsPorts } from './os-ports.ts';

mock.method(console, 'log', () => {});

/** A port that can be taken at first so many times. */
function port(taken = 0) {
  const known = { isOpen: false, tries: 0 };
  return {
    known,
    listen: async () => {
      known.tries += 1;
      if (taken-- > 0) throw new Error('EADDRINUSE');
      known.isOpen = true;
    },
    close: async () => {
      known.isOpen = false;
    },
  };
}

test('what cannot be opened whole is not opened', async () => {
  const [control, desk] = [port(), port(1)];
  const ports = new OsPorts(async () => {}, [control, desk]);
  await assert.rejects(ports.open('10.77.0.2'), /EADDRINUSE/);
  assert.equal(control.known.isOpen, false);
  await ports.open('10.77.0.2');
  assert.ok(control.known.isOpen && desk.known.isOpen);
});

test('for an OS that runs here it is tried until it works', async () => {
  const [control, desk] = [port(), port(3)];
  const ports = new OsPorts(async () => {}, [control, desk], 1);
  const late = Promise.withResolvers<void>();
  await ports.openForSure('10.77.0.2', late.resolve);
  assert.equal(control.known.isOpen, false);
  await late.promise;
  assert.ok(control.known.isOpen && desk.known.isOpen);
  assert.equal(desk.known.tries, 4);
});

test('once closed nothing is opened any more, also not by a try that is under way', async () => {
  const control = port(1);
  let waiting = 0;
  const ready = async (_address: string, signal: AbortSignal): Promise<void> => {
    waiting += 1;
    if (waiting > 1) await new Promise(resolve => signal.addEventListener('abort', resolve));
  };
  const ports = new OsPorts(ready, [control], 1);
  await ports.openForSure('10.77.0.2', () => assert.fail('it was closed'));
  while (waiting < 2) await new Promise(resolve => setTimeout(resolve, 1));
  await ports.close();
  assert.equal(control.known.isOpen, false);
});
