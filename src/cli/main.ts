// The command line: verbs, options and exit codes. Talks only to the agent's local API; never to another computer and
// never to the kernel.

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import type * as v from 'valibot';
import { ComputersSchema, defaultSocketPath, EmptySchema, LentSchema, StatusSchema } from '#core/api.ts';
import { DeviceLocationTableSchema } from '#core/device-location-table.ts';
import { DeviceStatusTableSchema } from '#core/device-status-table.ts';
import { asYadoError, families, yadoError } from '#core/errors.ts';
import { HistorySchema } from '#core/history.ts';
import { type ApiCall, type ApiClient, newApiClient } from './api-client.ts';
import { type DoctorOptions, doctor } from './doctor.ts';
import { dryRun, migrate, wait } from './migrate.ts';
import { collect, type MigrateOptions, requestOf } from './migrate-options.ts';
import { compare, confirm, defaultKeysFolder, listPairs, type PairContext, unpair } from './pair.ts';
import {
  renderComputers,
  renderDevices,
  renderError,
  renderHistory,
  renderLent,
  renderStatus,
  renderWhere,
} from './render.ts';
import { type ResumeOptions, resume } from './resume.ts';
import { buildMedium, type MediumOptions, type MediumPlaces, mediumPlaces } from './standby-medium.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const endOfHelp = `
Exit codes: 0 done, ${Object.values(families)
  .map(({ exitCode, title }) => `${exitCode} ${title[0]?.toLowerCase()}${title.slice(1)}`)
  .join(',\n  ')}.
All steps, from installing on: /usr/share/doc/yadokari/install.md (in a clone: docs/install.md); the words: man yado.
`;

/** Runs one command line (without node and script name) and gives the exit code; never throws. */
export async function runCli(
  args: readonly string[],
  terminal: Terminal,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const client = newApiClient(environment.YADO_SOCKET || defaultSocketPath);
  let exitCode = 0;
  const folder = environment.YADO_KEYS || defaultKeysFolder;
  const program = newProgram(client, terminal, folder, mediumPlaces(environment), code => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (thrown) {
    const json = args.includes('--json');
    if (thrown instanceof CommanderError) {
      if (thrown.exitCode === 0) return 0; // help and version are no errors
      // For a person commander has already said what is wrong.
      const what = thrown.message.replace(/^error: /, '');
      if (json)
        terminal.out(`${JSON.stringify({ error: yadoError('badUsage', { what, command: 'yado' }) })}\n`);
      return families.usage.exitCode;
    }
    const error = asYadoError(thrown, 'this computer');
    if (json) terminal.out(`${JSON.stringify({ error })}\n`);
    else terminal.error(renderError(error));
    return error.exitCode;
  }
}

/** The parser with all its verbs. */
export function newProgram(
  client: ApiClient,
  terminal: Terminal,
  keysFolder: string,
  places: MediumPlaces,
  setExitCode: (code: number) => void,
): Command {
  const program = new Command('yado')
    .description('Moves a running Linux from one computer to another.')
    .version(readVersion(), '-V, --version')
    .configureOutput({ writeOut: text => terminal.out(text), writeErr: text => terminal.error(text) })
    .configureHelp({ helpWidth: 100 })
    .exitOverride()
    .showHelpAfterError('(yado --help tells more)')
    .addHelpText('after', endOfHelp);

  const verb = (usage: string, description: string) =>
    pointedTo(program.command(usage))
      .description(description)
      .option('--json', 'answer in JSON, for programs');

  /** A verb that asks the agent one thing and prints the answer. */
  const query = <Schema extends v.GenericSchema>(
    name: ApiCall & string,
    description: string,
    schema: Schema,
    render: (answer: v.InferOutput<Schema>) => string,
  ) =>
    verb(name, description).action(async ({ json }: { json?: boolean }) => {
      const answer = await client.call(name, schema);
      terminal.out(json ? `${JSON.stringify(answer, null, 2)}\n` : render(answer));
    });

  query('status', 'this computer: its role, the OS on it, the move under way', StatusSchema, renderStatus);
  query(
    'devices',
    'the device status table: what the OS has, what it really is, in which state',
    DeviceStatusTableSchema,
    renderDevices,
  );
  query(
    'where',
    'the device location table: which computer has a device',
    DeviceLocationTableSchema,
    renderWhere,
  );
  query('computers', 'the computers the OS can move to', ComputersSchema, renderComputers);

  verb('doctor', 'what speaks against a move, and what to do about it; changes nothing')
    .option('--with <computer>', 'compare this computer with the one the OS could move to')
    .option('--all', 'show also what is well')
    .action(async (options: DoctorOptions) => {
      setExitCode(await doctor(client, terminal, options));
    });

  verb('migrate <computer>', 'move the running OS to another computer')
    .option('--dry-run', 'only check, and tell what would be done')
    .option('--stop-and-copy', 'copy nothing ahead: the OS stands still for all of it')
    .option(
      '--max-downtime <time>',
      'move only when it would stand still no longer than that (2s, 500ms); waits for it two minutes at most',
    )
    .option(
      '--disk <way>',
      'what becomes of the disk: remote (it stays, and is used over the network), follow (it is copied to one there), or shared (both computers reach it by themselves)',
    )
    .option(
      '--to-disk <disk>',
      'with follow or shared: which disk of that computer, as /dev/disk/by-id names it there',
    )
    .option('--accept-risk <name>', 'accept a risk by its name (may be given again)', collect)
    .action(async (to: string, options: MigrateOptions) => {
      const request = requestOf(to, options);
      const run = options.dryRun ? dryRun : migrate;
      setExitCode(await run(client, terminal, request, options.json === true));
    });

  verb('wait', 'follow the move under way until its end').action(async ({ json }: { json?: boolean }) => {
    setExitCode(await wait(client, terminal, json === true));
  });

  verb('cancel', 'give up the move under way; the OS goes on where it was').action(
    async ({ json }: { json?: boolean }) => {
      await client.call('cancel', EmptySchema);
      terminal.out(json ? '{}\n' : 'The move is being given up; the OS goes on where it was.\n');
    },
  );

  query('history', 'the moves so far, with their downtime in parts', HistorySchema, renderHistory);

  verb('lend <device>', 'let the device of another computer serve the OS, which stays here')
    .requiredOption('--to <computer>', 'the computer whose screen, keyboard or printer is to be used')
    .action(async (device: string, { to, json }: { to: string; json?: boolean }) => {
      const answer = await client.call('lend', LentSchema, { device, to });
      terminal.out(json ? `${JSON.stringify(answer)}\n` : renderLent(answer));
    });

  verb('return <device>', 'use the device of before again').action(
    async (device: string, { json }: { json?: boolean }) => {
      const answer = await client.call('return', LentSchema, { device });
      terminal.out(json ? `${JSON.stringify(answer)}\n` : renderLent(answer));
    },
  );

  const standby = verb(
    'standby <computer>',
    'make a computer that the OS has left ready to receive one again',
  ).action(async (computer: string, { json }: { json?: boolean }) => {
    await client.call('standby', EmptySchema, { computer });
    terminal.out(
      json ? '{}\n' : `${computer} starts its standby image; its devices pause for up to half a minute.\n`,
    );
  });
  verb('resume', 'at a computer whose OS is lost elsewhere: start it again from the disk here')
    .option('--yes', 'do not ask')
    .action((options: ResumeOptions) => resume(client, terminal, options));
  addMedium(standby, json => ({ client, terminal, json: json === true, folder: keysFolder }), places);
  addPairing(verb, json => ({ client, terminal, json: json === true, folder: keysFolder }));
  return program;
}

/** What is wrong is followed by where to read of it. */
function pointedTo(command: Command): Command {
  const names: string[] = [];
  for (let each: Command | null = command; each; each = each.parent) names.unshift(each.name());
  return command.showHelpAfterError(`(${names.join(' ')} --help tells more)`);
}

interface JsonOption {
  readonly json?: boolean;
}

function addPairing(
  verb: (usage: string, description: string) => Command,
  context: (json: boolean | undefined) => PairContext,
): void {
  verb('pair <computer>', 'pair this OS with a computer that waits for it (there: yado accept)')
    .option('--address <ip>', 'machine address of a computer that the configuration does not name')
    .action((computer: string, { json, address }: JsonOption & { address?: string }) =>
      compare(context(json), 'pair', { computer, ...(address !== undefined && { address }) }),
    );
  verb('accept', 'at a computer: wait two minutes for an OS that wants to be paired with it').action(
    ({ json }: JsonOption) => compare(context(json), 'accept', {}),
  );
  verb('confirm <code>', 'say that the other side shows this code; where nobody can be asked').action(
    (code: string, { json }: JsonOption) => confirm(context(json), code),
  );
  verb('pairs', 'who is paired with whom, and the public keys').action(({ json }: JsonOption) =>
    listPairs(context(json)),
  );
  verb('unpair <name>', 'forget the key of a computer, or of another OS that may use this one').action(
    (name: string, { json }: JsonOption) => unpair(context(json), name),
  );
}

function addMedium(
  standby: Command,
  context: (json: boolean | undefined) => PairContext,
  places: MediumPlaces,
): void {
  pointedTo(standby.command('build <computer>'))
    .description('make a medium that starts a computer as a standby, paired with this OS already')
    .option('--iso <file>', 'a file for a CD or any USB stick, for BIOS and UEFI')
    .option('--usb <disk>', 'write it to a whole disk, as /dev/sdb; everything on it is lost')
    .option(
      '--pxe <folder>',
      'what a TFTP server gives to a computer that starts from the network; has no keys',
    )
    .option('--address <ip>', 'machine address and prefix length, where the configuration names none')
    .option('--nic <mac>', 'MAC of the network card to use; without it the first one found')
    .option('--console <line>', 'a root shell without a password on that serial line, as ttyS0')
    .option('--no-prompt', 'nothing can be typed at its screen; else Alt+F2 takes the commands of yado')
    .option('--package-kernel', 'the kernel that comes with the package, not the one that this OS runs')
    .option('--no-keys', 'do not pair: a medium that is no secret')
    .option('--yes', 'do not ask before a disk is overwritten')
    .option('--json', 'answer in JSON, for programs')
    .action((computer: string, options: MediumOptions & JsonOption) =>
      buildMedium(context(options.json), computer, options, places),
    );
}

function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  try {
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version?: string };
    return version ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

if (import.meta.main) {
  process.exitCode = await runCli(process.argv.slice(2), processTerminal(), process.env);
}
