// What goes wrong with a device of this computer that serves an OS elsewhere, as that OS is told it: which device, which
// computer, what to do. It is no fault of the agent, and not for its journal.
import { YadoError, yadoError } from '#core/errors.ts';

/** @throws YadoError `deviceAway` for anything else that `work` throws */
export function orAway<T>(device: string, computer: string, work: () => Promise<T> | T): Promise<T> | T {
  const told = (error: unknown): never => {
    if (error instanceof YadoError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw yadoError('deviceAway', { device, computer, reason }, error);
  };
  try {
    const answer = work();
    return answer instanceof Promise ? answer.catch(told) : answer;
  } catch (error) {
    return told(error);
  }
}
