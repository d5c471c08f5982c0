// `yado lab …`: starts, plays with, breaks and ends a lab. Talks to the lab's supervisor only.
// Exit codes: what a command inside a computer ended with for `exec`, else 0, or 1 with a sentence on stderr.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { call, type LabStatus } from './control.ts';
import type { LabOptions } from './lab.ts';
import { errorText, LabError } from './lab-error.ts';
import { debianNamed } from './os-recipe.ts';
import { standbyOf } from './own-standby.ts';
import { labId, stateDir } from './paths.ts';
import { product } from './product.ts';
import { scenarioList, scenarioNamed } from './scenarios.ts';
import { Supervisor } from './supervisor.ts';

const id = labId();
const program = new Command('yado lab')
  .description('emulated computers to try Yadokari on')
  .option('--json', 'print JSON')
  .enablePositionalOptions()
  .exitOverride(error => process.exit(error.exitCode));

/** Prints a result: JSON when asked for, else `plain` (nothing when empty). */
function print(result: unknown, plain: string): void {
  if (program.opts<{ json?: boolean }>().json) console.log(JSON.stringify(result));
  else if (plain !== '') process.stdout.write(plain.endsWith('\n') ? plain : `${plain}\n`);
}

/** The words after an optional "--", which commander leaves in when options pass through. */
function commandWords(words: readonly string[]): readonly string[] {
  return words[0] === '--' ? words.slice(1) : words;
}

async function statusIfRunning(): Promise<LabStatus | undefined> {
  try {
    return await call<LabStatus>(id, 'status');
  } catch {
    return undefined;
  }
}

function statusText(status: LabStatus): string {
  const rows = status.computers.map(c => [c.name, c.power, c.role, c.cable, c.address]);
  const all = [['COMPUTER', 'POWER', 'BOOTED', 'CABLE', 'ADDRESS'], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map(row => row[column]!.length)));
  const table = all
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
  return `lab ${status.id}: ${status.phase}${status.phase === 'ready' ? '' : ` (${status.message})`}\n${table}\n`;
}

interface UpOptions {
  scenario: string;
  include?: string;
  debian?: string;
  standbyDebian?: string;
  deb?: string;
  withoutDeb?: boolean;
  keepRunning?: boolean;
}

async function up(options: UpOptions): Promise<void> {
  scenarioNamed(options.scenario);
  if (process.getuid?.() !== 0)
    throw new LabError('the lab needs root for its network', 'sudo bin/yado lab up');
  const before = await statusIfRunning();
  if (before)
    throw new LabError(`lab ${id} is running already (${before.phase})`, 'yado lab status, or yado lab down');
  const say = (text: string): void => {
    if (!program.opts<{ json?: boolean }>().json) console.error(text);
  };
  const made = options.withoutDeb ? undefined : product(say);
  const standby = options.standbyDebian;
  const dir = stateDir(id);
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const log = openSync(join(dir, 'supervisor.log'), 'a');
  const lab: LabOptions = {
    scenario: options.scenario,
    include: (options.include ?? '').split(',').filter(name => name !== ''),
    keepRunning: options.keepRunning === true,
    ...made,
    ...(made && standby !== undefined && { standby: await standbyOf(debianNamed(standby), made, say) }),
    ...(options.debian !== undefined && { debian: debianNamed(options.debian) }),
    ...(options.deb && !options.withoutDeb ? { deb: resolve(options.deb) } : {}),
  };
  const child = spawn(process.execPath, [import.meta.filename, 'supervise', JSON.stringify(lab)], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  let said = '';
  for (;;) {
    await delay(200);
    const status = await statusIfRunning();
    if (!status && (child.exitCode !== null || child.signalCode !== null)) {
      throw new LabError(
        `the lab's supervisor ended: ${readFileSync(join(dir, 'supervisor.log'), 'utf8').trim().slice(-500)}`,
      );
    }
    if (!status) continue;
    if (status.message !== said) say(status.message);
    said = status.message;
    if (status.phase === 'starting') continue;
    if (status.phase === 'failed') {
      if (!options.keepRunning) await call(id, 'down');
      throw new LabError(status.message, status.hint);
    }
    print(status, statusText(status));
    return;
  }
}

async function down(): Promise<void> {
  const status = await statusIfRunning();
  if (!status) return print({ id, phase: 'down' }, 'no lab is running');
  await call(id, 'down').catch((error: unknown) => {
    if (!(error instanceof LabError)) throw error;
  });
  for (let tries = 0; tries < 100; tries++) {
    try {
      process.kill(status.pid, 0);
    } catch {
      return print({ id, phase: 'down' }, `lab ${id} is down; its logs are in ${status.dir}`);
    }
    await delay(100);
  }
  process.kill(status.pid, 'SIGKILL'); // the kernel ends with it all it has started
  print({ id, phase: 'down' }, `lab ${id} had to be killed`);
}

program
  .command('up')
  .description('make the OS image (once) and boot the computers')
  .option(
    '--scenario <name>',
    scenarioList()
      .map(({ name, about }) => `${name}: ${about}`)
      .join('; '),
    'paper',
  )
  .option('--include <packages>', 'further Debian packages for the OS, separated by commas')
  .option(
    '--debian <version>',
    'of the OS: 12 (default), 13, or with the kernel of its backports 12-backports',
  )
  .option('--standby-debian <version>', 'whose kernel the standby image has (default: the package’s)')
  .option('--deb <file>', 'the Yadokari package to install (default: built from these sources)')
  .option('--without-deb', 'a plain Debian without Yadokari; standby computers stay off')
  .option('--keep-running', 'keep the computers running when the start fails, to look inside')
  .action(up);
program.command('down').description('end the lab and all it started').action(down);
program
  .command('status')
  .description('what runs')
  .action(async () => {
    const status = await statusIfRunning();
    if (!status) return print({ id, phase: 'down', computers: [] }, 'no lab is running');
    print(status, statusText(status));
  });
program
  .command('exec <computer> <command...>')
  .description('run a command as root: exec a -- ls -l /')
  .option('--timeout <seconds>', 'give up waiting after this long', '60')
  .passThroughOptions()
  .action(async (computer: string, words: string[], options: { timeout: string }) => {
    const timeoutMs = Number(options.timeout) * 1000;
    const result = await call<{ code: number; output: string }>(id, 'exec', {
      computer,
      command: commandWords(words).join(' '),
      timeoutMs,
    });
    print(result, result.output);
    process.exitCode = result.code;
  });
program
  .command('put <computer> <file> [path]')
  .description('copy a file into a computer (default: into /root)')
  .action(async (computer: string, file: string, path?: string) => {
    const base64 = readFileSync(file).toString('base64');
    const to = path ?? `/root/${basename(file)}`;
    await call(id, 'put', { computer, base64, path: to, mode: statSync(file).mode & 0o777 });
    print({ path: to }, '');
  });
program
  .command('get <computer> <path> [file]')
  .description('copy a file out of a computer ("-": to stdout)')
  .action(async (computer: string, path: string, file = basename(path)) => {
    const contents = Buffer.from(await call<string>(id, 'get', { computer, path }), 'base64');
    if (file === '-') process.stdout.write(contents);
    else writeFileSync(file, contents);
    if (file !== '-') print({ file }, '');
  });
program
  .command('screenshot <computer> [file]')
  .description('save the screen as PNG')
  .action(async (computer: string, file = `${computer}.png`) => {
    await call(id, 'screenshot', { computer, file: resolve(file) });
    print({ file: resolve(file) }, resolve(file));
  });
program
  .command('key <computer> <keys...>')
  .description('press keys: key a ctrl-alt-f1 enter')
  .action(async (computer: string, keys: string[]) => {
    await call(id, 'key', { computer, keys });
    print({ keys }, '');
  });
program
  .command('type <computer> <text>')
  .description('type text on the keyboard')
  .action(async (computer: string, text: string) => {
    await call(id, 'type', { computer, text: text.replaceAll('\\n', '\n') });
    print({ text }, '');
  });
for (const [verb, about] of [
  ['cut', 'pull the network cable'],
  ['heal', 'put the cable back'],
  ['kill', 'cut the power'],
] as const) {
  program
    .command(`${verb} <computer>`)
    .description(about)
    .action(async (computer: string) => {
      await call(id, verb, { computer });
      print({ computer }, '');
    });
}
program
  .command('boot <computer>')
  .description('switch the power on')
  .option('--role <role>', 'os or standby (default: what the scenario says)')
  .action(async (computer: string, options: { role?: string }) => {
    if (options.role !== undefined && options.role !== 'os' && options.role !== 'standby') {
      throw new LabError(`no role "${options.role}"`, 'os or standby');
    }
    await call(id, 'boot', { computer, role: options.role });
    print({ computer }, '');
  });
program
  .command('log <computer>')
  .description('the kernel console so far')
  .action(async (computer: string) => {
    const log = await call<string>(id, 'log', { computer });
    print({ log }, log);
  });
program
  .command('third <command...>')
  .description('run a program on the third machine (10.77.0.254): third -- ip neigh')
  .passThroughOptions()
  .action(async (argv: string[]) => {
    const done = await call<{ code: number; output: string; errors: string }>(id, 'third', {
      argv: commandWords(argv),
    });
    process.stderr.write(done.errors);
    print(done, done.output);
    process.exitCode = done.code;
  });
program
  .command('monitor <computer> <command...>')
  .description("QEMU's own monitor")
  .passThroughOptions()
  .action(async (computer: string, words: string[]) => {
    const answer = await call<string>(id, 'monitor', { computer, command: commandWords(words).join(' ') });
    print({ answer }, answer.replaceAll('\r', ''));
  });
program
  .command('demo')
  .description('tell the whole story once')
  .action(async () => {
    const { demo } = await import('./demo.ts');
    await demo();
  });
program
  .command('matrix [pairs...]')
  .description('move between computers that differ: all pairs, or these; --list names them')
  .option('--list', 'only list the pairs')
  .action(async (names: string[], options: { list?: boolean }) => {
    const { pairsNamed } = await import('./matrix/pairs.ts');
    const { describePair } = await import('./matrix/report.ts');
    const chosen = pairsNamed(names);
    if (options.list) {
      const rows = chosen.map(describePair);
      print(rows, rows.map(each => `${each.pair.padEnd(20)} ${each.expected}: ${each.about}`).join('\n'));
      return;
    }
    const { runMatrix } = await import('./matrix/run.ts');
    if (!(await runMatrix(chosen, text => console.log(text)))) process.exitCode = 1;
  });
program.command('supervise <options>', { hidden: true }).action(async (options: string) => {
  const say = (text: string): void => console.log(`${new Date().toISOString()} ${text}`);
  await new Supervisor(id, say).run(JSON.parse(options) as LabOptions);
});

program.parseAsync(process.argv).catch((error: unknown) => {
  console.error(`yado lab: ${errorText(error)}`);
  if (error instanceof LabError && error.hint !== '') console.error(`  try: ${error.hint}`);
  process.exitCode = 1;
});
