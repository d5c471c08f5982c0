// `yado doctor`: what speaks against a move, from this computer alone or from it to another one. Changes nothing.

import { DoctorSchema } from '#core/api.ts';
import { families } from '#core/errors.ts';
import { standsAgainst } from '#core/preflight.ts';
import type { ApiClient } from './api-client.ts';
import { renderDoctor } from './render-checks.ts';
import type { Terminal } from './terminal.ts';

export interface DoctorOptions {
  readonly with?: string;
  readonly all?: boolean;
  readonly json?: boolean;
}

/** Prints what was found. Exit code 0 when nothing stands against a move, else that of a refusal. */
export async function doctor(client: ApiClient, terminal: Terminal, options: DoctorOptions): Promise<number> {
  const request = options.with === undefined ? {} : { with: options.with };
  const answer = await client.call('doctor', DoctorSchema, request);
  if (options.json) terminal.out(`${JSON.stringify(answer, null, 2)}\n`);
  else {
    const columns = terminal.isScreen ? terminal.columns() : undefined;
    terminal.out(renderDoctor(answer, { all: options.all === true, columns }));
  }
  return answer.checks.some(standsAgainst) ? families.refused.exitCode : 0;
}
