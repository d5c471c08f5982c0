// Every verb of the command line as plain data, taken from the parser itself: the manual page and the shell completions are
// made from it, so they cannot tell of a verb that is not there. Calls nothing and prints nothing.
import type { Argument, Command, Option } from 'commander';
import { families } from '#core/errors.ts';
import { newApiClient } from './api-client.ts';
import { newProgram } from './main.ts';
import { mediumPlaces } from './standby-medium.ts';
import { processTerminal } from './terminal.ts';

export interface OptionText {
  /** As it is typed: `--with <computer>`. */
  readonly flags: string;
  /** `--with`; for the few that have one also the short form, `-h`. */
  readonly names: readonly string[];
  readonly description: string;
  /** What follows it: `computer`; absent for a switch. */
  readonly value?: string;
}

export interface CommandText {
  /** With the verbs before it: `standby build`. */
  readonly name: string;
  readonly description: string;
  /** Names of what follows: `computer`, `device`. */
  readonly words: readonly string[];
  readonly options: readonly OptionText[];
}

export interface ProgramText {
  readonly name: string;
  readonly description: string;
  readonly version: string;
  readonly options: readonly OptionText[];
  readonly commands: readonly CommandText[];
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
}

function optionText({ flags, long, short, description }: Option): OptionText {
  const value = /[<[]([\w-]+)/.exec(flags)?.[1];
  return {
    flags,
    names: [short, long].filter(name => name !== undefined),
    description,
    ...(value !== undefined && { value }),
  };
}

const wordsOf = (command: Command): string[] =>
  command.registeredArguments.map((argument: Argument) => argument.name());

/** A verb, then the verbs below it. */
function commandTexts(command: Command, before: string): CommandText[] {
  const name = `${before}${command.name()}`;
  const own = {
    name,
    description: command.description(),
    words: wordsOf(command),
    options: command.options.map(optionText),
  };
  return [own, ...command.commands.flatMap(each => commandTexts(each, `${name} `))];
}

/** The command line of this version. */
export function listCommands(): ProgramText {
  const program = newProgram(newApiClient(''), processTerminal(), '', mediumPlaces({}), () => {});
  return {
    name: program.name(),
    description: program.description(),
    version: program.version() ?? '',
    options: program.options.map(optionText),
    commands: program.commands.flatMap(each => commandTexts(each, '')),
    exitCodes: [
      [0, 'done'],
      ...Object.values(families).map(({ exitCode, title }) => [exitCode, title] as const),
    ],
  };
}
