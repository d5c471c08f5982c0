// Two computers of the same kind with a plain Debian each, from the same image: the same files on both, as moving
// processes asks for. Each has its own address; the address the third machine asks is with whoever runs the workload.
import type { Computer } from '#lab/computer.ts';
import type { Lab } from '#lab/lab.ts';
import { startLab } from '#lab/lab.ts';
import { os } from '#lab/os-recipe.ts';
import { scenarioNamed } from '#lab/scenarios.ts';
import { packages } from './method.ts';

export const addressOf = (computer: Computer): string => computer.spec.address.split('/')[0]!;

/** Takes the workload's address; nobody is told yet. */
export const takeAddress = `ip addr add ${os.address}/32 dev os0\n`;
/** Tells the network where that address is now. */
export const announce = `arping -q -U -c 1 -I os0 ${os.address} & `;
export const dropAddress = `ip addr del ${os.address}/32 dev os0\n`;

const isUp = 'systemctl is-system-running --wait; true';

/** Boots both; A holds the workload's address. */
export async function startPeers(say: (text: string) => void): Promise<Lab> {
  const lab = await startLab({ scenario: scenarioNamed('peers'), include: packages, boot: false, say });
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  await Promise.all([a.boot(), b.boot()]);
  await b.cut(); // it is the same OS as A's until it has been told who it is
  for (const computer of [a, b]) {
    await computer.exec(isUp, { timeoutMs: 240_000 });
    const own = `${computer.spec.mac.replace(/^52/, '56')}`;
    await computer.shell(
      'systemctl stop systemd-networkd.socket systemd-networkd redis-server; ' +
        `ip link set os0 address ${own} && ip addr flush dev os0 && ip addr add ${computer.spec.address} dev os0 && ` +
        'mount -t tmpfs -o size=80% images /mnt',
    );
  }
  await b.heal();
  await a.shell(takeAddress + announce);
  say('two Debians are up');
  return lab;
}
