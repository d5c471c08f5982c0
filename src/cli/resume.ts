// `yado resume`: a person says that the OS which left this computer's disk is lost elsewhere, and starts it from there.
import { EmptySchema, StatusSchema } from '#core/api.ts';
import { yadoError } from '#core/errors.ts';
import type { ApiClient } from './api-client.ts';
import type { Terminal } from './terminal.ts';

export interface ResumeOptions {
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** @throws YadoError `nothingToResume`, `notDecided`, or what the agent answers */
export async function resume(client: ApiClient, terminal: Terminal, options: ResumeOptions): Promise<void> {
  const { computer, left } = await client.call('status', StatusSchema);
  if (!left) throw yadoError('nothingToResume', { computer: computer.name });
  const there = left.to ?? 'the other computer';
  if (!options.yes) {
    terminal.out(
      `${left.os} ${left.state === 'left' ? 'has left' : 'was leaving'} to ${there}. If it still runs there, or waits there for this computer, two\n` +
        `copies of it would write to this disk and destroy what is on it. What it had only in memory is lost.\n`,
    );
    const question = `Is ${there} switched off, or started anew, and ${left.os} to be started here? [y/N] `;
    const answer = await terminal.ask(question, new AbortController().signal);
    if (!/^y(es)?$/i.test(answer ?? ''))
      throw yadoError('notDecided', { os: left.os, computer: computer.name, there });
  }
  await client.call('resume', EmptySchema);
  terminal.out(options.json ? '{}\n' : `${computer.name} starts ${left.os} from its disk.\n`);
}
