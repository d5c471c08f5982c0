// Waits for the product inside a computer, as a user would find out: `yado status` answers.
// A computer's command channel is there some time before its agent. Changes nothing.

import type { Computer } from './computer.ts';
import { scaled, waitFor } from './time.ts';

/** @throws LabError when the agent does not answer within some minutes */
export async function agentReady(computer: Computer): Promise<void> {
  const answers = (): Promise<true | undefined> =>
    computer.exec('yado status', { timeoutMs: scaled(60_000) }).then(
      ({ code }) => (code === 0 ? true : undefined),
      () => undefined, // still too busy with its start
    );
  await waitFor(`the agent of ${computer.name}`, answers, { timeoutMs: scaled(300_000), everyMs: 500 });
}
