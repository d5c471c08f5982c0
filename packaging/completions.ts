// Completions for bash, zsh and fish, made from the command line's own list of verbs. Names of computers and devices are
// asked of the agent while one types. Pure: text in, text out.
import type { CommandText, OptionText, ProgramText } from '../src/cli/command-list.ts';

/** What can stand for a word or an option's value: which call lists it, and the field that holds the name. */
const lists: Readonly<Record<string, readonly [call: string, field: string]>> = {
  computer: ['computers', 'name'],
  device: ['devices', 'device'],
};
/** Words that name a file or a folder. */
const paths: readonly string[] = ['file', 'folder', 'disk'];

const note = '# Made from the command line itself by packaging/completions.ts.';

/** Prints the names the agent knows, one a line. Shells share it, but for how a function is written. */
const listing = (call: string, field: string): string =>
  `yado ${call} --json 2>/dev/null | sed -n 's/^ *"${field}": "\\([^"]*\\)".*$/\\1/p'`;

const optionNames = ({ options }: CommandText): string => options.flatMap(each => each.names).join(' ');

/** Verbs that stand at one place: behind nothing, or behind another verb. */
const verbsBelow = ({ commands }: ProgramText, before = ''): CommandText[] =>
  commands.filter(({ name }) => name.startsWith(before) && !name.slice(before.length).includes(' '));

const hasVerbs = (program: ProgramText, { name }: CommandText): boolean =>
  verbsBelow(program, `${name} `).length > 0;

// bash

function bashWords(kind: string): string {
  const list = lists[kind];
  if (list) return `COMPREPLY=($(compgen -W "$(${listing(...list)})" -- "$cur"))`;
  if (paths.includes(kind)) return 'COMPREPLY=($(compgen -f -- "$cur"))';
  return 'COMPREPLY=()';
}

function bashCase(program: ProgramText, command: CommandText): string {
  const values = command.options.filter(each => each.value !== undefined);
  const lines = values.map(
    ({ names, value }) => `        ${names.join('|')}) ${bashWords(value ?? '')}; return ;;`,
  );
  const below = verbsBelow(program, `${command.name} `).map(each => each.name.split(' ').at(-1));
  const more = below.length === 0 ? '' : `; COMPREPLY+=($(compgen -W "${below.join(' ')}" -- "$cur"))`;
  return [
    `    '${command.name}')`,
    ...(lines.length === 0 ? [] : ['      case $prev in', ...lines, '      esac']),
    `      case $cur in`,
    `        -*) COMPREPLY=($(compgen -W "${optionNames(command)}" -- "$cur")) ;;`,
    `        *) ${bashWords(command.words[0] ?? '')}${more} ;;`,
    '      esac ;;',
  ].join('\n');
}

export function bashCompletion(program: ProgramText): string {
  const verbs = verbsBelow(program).map(each => each.name);
  const nested = program.commands.filter(each => each.name.includes(' ')).map(each => `'${each.name}'`);
  const second =
    nested.length === 0
      ? ''
      : `\n  case "$verb \${COMP_WORDS[2]-}" in ${nested.join('|')}) [ "$COMP_CWORD" -gt 2 ] && verb="$verb \${COMP_WORDS[2]}" ;; esac`;
  return `# bash completion for ${program.name}
${note}
# shellcheck shell=bash disable=SC2207

_${program.name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} verb=\${COMP_WORDS[1]-}
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${[...verbs, ...program.options.flatMap(each => each.names)].join(' ')}" -- "$cur"))
    return
  fi${second}
  case $verb in
${program.commands.map(each => bashCase(program, each)).join('\n')}
  esac
}
complete -F _${program.name} ${program.name}
`;
}

// zsh

const zshQuoted = (text: string): string => text.replaceAll("'", "'\\''").replace(/[[\]:]/g, '\\$&');

function zshValue(kind: string): string {
  if (lists[kind]) return `:${kind}:_${kind}s_of_yado`;
  return paths.includes(kind) ? `:${kind}:_files` : `:${kind}:`;
}

const zshOption = ({ names, description, value }: OptionText): string[] =>
  names.map(name => `'${name}[${zshQuoted(description)}]${value === undefined ? '' : zshValue(value)}'`);

function zshCase({ name, options, words }: CommandText): string {
  const word = words[0];
  const rest = word === undefined ? [] : [`'*${zshValue(word)}'`];
  return `  '${name}') _arguments ${[...options.flatMap(zshOption), ...rest].join(' ')} ;;`;
}

export function zshCompletion(program: ProgramText): string {
  const verbs = verbsBelow(program).map(each => `  '${each.name}:${zshQuoted(each.description)}'`);
  const functions = Object.entries(lists).map(
    ([kind, list]) =>
      `_${kind}s_of_yado() { local -a names; names=(\${(f)"$(${listing(...list)})"}); _describe ${kind} names }`,
  );
  const nested = program.commands
    .filter(each => each.name.includes(' '))
    .map(({ name }) => `[[ "$words[2] $words[3]" == '${name}' ]] && (( CURRENT > 3 )) && verb='${name}'`);
  return `#compdef ${program.name}
${note}

${functions.join('\n')}

local -a verbs
verbs=(
${verbs.join('\n')}
)
if (( CURRENT == 2 )); then _describe command verbs; return; fi
local verb=$words[2]
${nested.join('\n')}
case $verb in
${program.commands.map(zshCase).join('\n')}
esac
`;
}

// fish

const fishQuoted = (text: string): string => `'${text.replace(/['\\]/g, '\\$&')}'`;

function fishValue(kind: string): string {
  const list = lists[kind];
  if (list)
    return ` -f -a "(${listing(...list)
      .replaceAll('\\', '\\\\')
      .replaceAll('"', '\\"')
      .replaceAll('$', '\\$')})"`;
  return paths.includes(kind) ? ' -F' : ' -f';
}

function fishLines(program: ProgramText, command: CommandText): string[] {
  const [first, second] = command.name.split(' ');
  const seen =
    second === undefined
      ? `__fish_seen_subcommand_from ${first}`
      : `__fish_seen_subcommand_from ${first}; and __fish_seen_subcommand_from ${second}`;
  const head = `complete -c ${program.name}`;
  const verb =
    second === undefined
      ? `${head} -n __fish_use_subcommand -f -a ${first} -d ${fishQuoted(command.description)}`
      : `${head} -n ${fishQuoted(`__fish_seen_subcommand_from ${first}`)} -f -a ${second} -d ${fishQuoted(command.description)}`;
  const word = command.words[0];
  return [
    verb,
    ...(word === undefined || hasVerbs(program, command)
      ? []
      : [`${head} -n ${fishQuoted(seen)}${fishValue(word)}`]),
    ...command.options.map(({ names, description, value }) => {
      const flags = names.map(name =>
        name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
      );
      const needs = value === undefined ? '' : ` -r${fishValue(value)}`;
      return `${head} -n ${fishQuoted(seen)} ${flags.join(' ')} -d ${fishQuoted(description)}${needs}`;
    }),
  ];
}

export function fishCompletion(program: ProgramText): string {
  const lines = program.commands.flatMap(each => fishLines(program, each));
  return `# fish completion for ${program.name}\n${note}\n${lines.join('\n')}\n`;
}
