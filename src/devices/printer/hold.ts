// Holds the programs that have the printer open while the OS is frozen: one that waits in a request to our device could
// not be frozen, for its answer would have to come from the agent, which is frozen too (the kernel waits killably, not
// freezably, in request_wait_answer). They are held one by one, not with their cgroup, in which the session of whoever
// typed `yado migrate` may be; and an agent that dies lets them go by dying.
import { HeldPrograms, holdersOf } from '#linux/held-programs.ts';

/** What does not stand still by then waits for something else than the printer: the freezer deals with it. */
const timeoutMs = 2000;

const held = new HeldPrograms();

/** The device must answer everything at once: who waits in it does not stand still. */
export async function holdBack(path: string): Promise<void> {
  await held.hold(() => holdersOf(path), timeoutMs);
}

/** Programs go on at once; one that did not stand still yet as soon as it does. */
export function letGo(): void {
  void held.letGo();
}
