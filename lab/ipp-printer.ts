// A printer in the network: `ippeveprinter` on the third machine, which keeps what it has printed. It announces itself over
// D-Bus or not at all, so it gets a message bus of its own. It takes what it recognizes: here PDF. Dies with the lab.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { thirdAddress } from './network.ts';
import { endChild } from './process.ts';
import type { ThirdMachine } from './third-machine.ts';
import { waitFor } from './time.ts';

const port = 8631;

export interface IppPrinter extends AsyncDisposable {
  readonly uri: string;
  /** Documents printed so far, oldest first. */
  documents(): Buffer[];
}

/** `folder` is empty and gets what is printed. @throws LabError when nothing listens */
export async function startIppPrinter(third: ThirdMachine, folder: string): Promise<IppPrinter> {
  const script = [
    // What we end is the printer; its bus ends with it.
    'setpriv --pdeathsig KILL dbus-daemon --session --nofork --nopidfile --address="unix:path=$1.bus" &',
    'until [ -S "$1.bus" ]; do sleep 0.1; done',
    // Given a name it would want an IPv6 address of that name.
    `DBUS_SYSTEM_BUS_ADDRESS="unix:path=$1.bus" exec ippeveprinter -r off -p ${port} -k -d "$1" -f application/octet-stream,application/pdf Lab`,
  ].join('\n');
  const child = third.spawn(['sh', '-c', script, 'sh', folder], { stdio: 'ignore' });
  const listens = ['sh', '-c', `ss -Hltn "sport = :${port}" | grep -q .`];
  await waitFor('the IPP printer', async () => ((await third.run(listens)).code === 0 ? true : undefined), {
    timeoutMs: 30_000,
  });
  return {
    uri: `ipp://${thirdAddress}:${port}/ipp/print`,
    documents: () =>
      readdirSync(folder)
        .map(name => join(folder, name))
        .sort((one, other) => statSync(one).mtimeMs - statSync(other).mtimeMs)
        .map(path => readFileSync(path)),
    [Symbol.asyncDispose]: () => endChild(child),
  };
}
