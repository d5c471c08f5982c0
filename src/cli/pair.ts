// `yado pair`, `accept`, `confirm`, `pairs`, `unpair`: the person compares two codes; what is agreed on is written to the disk
// of the OS here, for the agent must never wait for a disk. A computer without an OS has none: it forgets when switched off.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodeSchema, EmptySchema, PairedNameSchema, PairsSchema } from '#core/api.ts';
import type { ApiClient } from './api-client.ts';
import { renderCode, renderKept, renderPaired, renderPairs } from './render-pairs.ts';
import type { Terminal } from './terminal.ts';

export const defaultKeysFolder = '/var/lib/yadokari';

export interface PairContext {
  readonly client: ApiClient;
  readonly terminal: Terminal;
  readonly json: boolean;
  /** Where the OS keeps its pairings. */
  readonly folder: string;
}

/** Shows the code and asks; where nobody can be asked, `yado confirm` says the answer. */
export async function compare(context: PairContext, call: 'pair' | 'accept', request: object): Promise<void> {
  const { client, terminal, json } = context;
  if (call === 'accept' && !json)
    terminal.out('Waiting for an OS to call (yado pair), two minutes at most.\n');
  const compared = await client.call(call, CodeSchema, request);
  if (json) {
    terminal.out(`${JSON.stringify(compared)}\n`);
    return;
  }
  terminal.out(renderCode(compared));
  const answer = await terminal.ask(
    'Does the other side show the same code? [y/N] ',
    new AbortController().signal,
  );
  if (answer === undefined) {
    terminal.out(`Confirm it on both sides: yado confirm ${compared.code}\n`);
    return;
  }
  await confirm(context, compared.code, /^y(es)?$/i.test(answer));
}

export async function confirm(context: PairContext, code: string, agrees = true): Promise<void> {
  const { client, terminal, json } = context;
  if (agrees && !json) terminal.out('Waiting for the other side to confirm.\n');
  const paired = await client.call('confirm', PairedNameSchema, { code, agrees });
  const kept = await keep(context);
  terminal.out(json ? `${JSON.stringify(paired)}\n` : `${renderPaired(paired.name)}${renderKept(kept)}`);
}

export async function listPairs({ client, terminal, json }: PairContext): Promise<void> {
  const pairs = await client.call('pairs', PairsSchema);
  terminal.out(json ? `${JSON.stringify(pairs, null, 2)}\n` : renderPairs(pairs));
}

export async function unpair(context: PairContext, name: string): Promise<void> {
  await context.client.call('unpair', EmptySchema, { name });
  await keep(context);
  context.terminal.out(context.json ? '{}\n' : `${name} is not paired any more.\n`);
}

/** Writes whom the OS is paired with to its disk. False where nothing outlives the power: on a computer without an OS. */
export async function keep({ client, folder }: PairContext): Promise<boolean> {
  const { os } = await client.call('pairs', PairsSchema);
  if (!os || !existsSync(folder)) return false;
  const file = join(folder, 'paired.json');
  const fd = openSync(`${file}.new`, 'w', 0o600);
  try {
    writeFileSync(fd, `${JSON.stringify({ computers: os.computers, owners: os.owners })}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
  return true;
}
