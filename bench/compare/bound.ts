// The rates of the lower bound, measured inside the computers: memory copied once, and plain TCP between the two.
import type { Lab } from '#lab/lab.ts';
import { addressOf } from './peers.ts';
import type { Bound } from './result.ts';

const bytes = 256 * 2 ** 20;
const port = 7705;

export async function measureBound(lab: Lab): Promise<Bound> {
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  const copyRate = Number(await a.shell('/opt/lab/carry copy 128', { timeoutMs: 120_000 }));
  const receiving = b.shell(`/opt/lab/carry receive /dev/null ${port}`, { timeoutMs: 120_000 });
  const sendRate = Number(
    await a.shell(`/opt/lab/carry send /dev/zero ${bytes} ${addressOf(b)} ${port}`, { timeoutMs: 120_000 }),
  );
  await receiving;
  return { copyRate, sendRate };
}
