// A's power goes between the mark on its disk and the grant, the one moment in which nobody knows who has the OS.
import type { Computer } from '#lab/computer.ts';
import { armed } from './stories.ts';

/** Longer than anything waits for: the helper is never to come so far as to grant. */
const neverMs = 600_000;

/** A has written the mark and holds a claim, which it has not granted: then its power goes. */
export async function cutBeforeGrant(a: Computer): Promise<void> {
  await armed(a, `source.claim:delay=${neverMs}`);
  const mark = a.serialMark();
  const moving = a.exec('yado migrate b', { timeoutMs: 400_000 });
  moving.catch(() => {}); // nobody answers any more
  await a.waitForSerial(/yado: fault source\.claim:/, { timeoutMs: 300_000, since: mark });
  await a.waitForSerial(/what is left here is marked/, { timeoutMs: 60_000, since: mark });
  await a.kill();
}

/** A starts from its disk, and comes up as a standby. */
export async function comesUpAsStandby(a: Computer): Promise<void> {
  await a.boot();
  await a.waitForSerial(/the standby image is started instead/, { timeoutMs: 180_000 });
  await a.waitForSerial(/standby a at/, { timeoutMs: 240_000 });
}
