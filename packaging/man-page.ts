// The manual page yado(1), made from the command line's own list of verbs. Pure: text in, text out.
import type { CommandText, OptionText, ProgramText } from '../src/cli/command-list.ts';

/** Text as roff prints it: hyphens that can be copied, and no line taken for a request. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');

const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

/** `--with <computer>` as bold and italic. */
const flagsLine = (flags: string): string =>
  flags
    .split(/(<[^>]+>)/)
    .map(part =>
      part.startsWith('<') ? `\\fI${roff(part.slice(1, -1))}\\fR` : `\\fB${roff(part.trimEnd())}\\fR`,
    )
    .join(' ')
    .replace(/ \\fB\\fR/g, '')
    .replace('\\fB\\fR ', '');

const optionLines = ({ flags, description }: OptionText): string =>
  `.TP\n${flagsLine(flags)}\n${roff(capital(description))}.\n`;

/** `--json` is told once for all. */
const ownOptions = ({ options }: CommandText): readonly OptionText[] =>
  options.filter(each => !each.names.includes('--json'));

function commandLines(program: string, command: CommandText): string {
  const words = command.words.map(word => ` \\fI${roff(word)}\\fR`).join('');
  const options = ownOptions(command);
  const list = options.length === 0 ? '' : `.RS\n${options.map(optionLines).join('')}.RE\n`;
  return `.TP\n\\fB${program} ${roff(command.name)}\\fR${words}\n${roff(capital(command.description))}.\n${list}`;
}

const words: readonly (readonly [word: string, what: string])[] = [
  ['OS', 'The running Linux that moves, with addresses of its own.'],
  ['computer', 'A machine, with a name and an address of its own.'],
  ['standby', 'A computer without an OS that waits for one, started from a medium of yado standby build.'],
  ['ghost', 'What is left on a computer that the OS has just left: it serves the devices that stayed there.'],
  ['stub', 'What the OS sees in place of a device; that of the disk is /dev/mapper/yado-root.'],
  ['risk', 'A warning of yado doctor, by its name. A move is refused unless it is accepted.'],
  ['downtime', 'How long the OS stood still.'],
];

const files: readonly (readonly [path: string, what: string])[] = [
  ['/usr/share/doc/yadokari/install.md', 'All steps, from installing to taking it away.'],
  ['/usr/share/doc/yadokari/doctor.md, errors.md', 'Every check and every error, and what to do about it.'],
  ['/etc/yadokari/config.toml', 'Names and addresses of this computer and of those the OS may move to.'],
  [
    '/etc/yadokari/hooks/EVENT/',
    'Programs of yours around a move: pre-move, pre-freeze (may refuse it), post-arrive, post-fail. See agent.md.',
  ],
  [
    '/var/lib/yadokari',
    'Keys of the OS and of the computer it was installed on, and whom they are paired with.',
  ],
  ['/run/yado/api.sock', 'Where the agent listens; only for root.'],
  ['/etc/default/grub.d/yadokari.cfg', 'Tells update-grub of the disk beneath the stub; sets memory aside.'],
  ['/usr/lib/yadokari/agent.erofs', 'The agent image: the same bytes on every computer.'],
];

const parameters: readonly (readonly [name: string, what: string])[] = [
  [
    'memmap=192M!256M',
    'Memory set aside for the agent; the same on every computer. Without it every move carries the agent.',
  ],
  ['acpi=copy_dsdt', 'The kernel keeps its own copy of a firmware table that is another one elsewhere.'],
  [
    'yado.root=off',
    'Starts the OS once without the stub under its root file system; it cannot be moved then.',
  ],
  ['yado.console=ttyS0', 'A root shell without a password on that line while this computer is a standby.'],
  [
    'yado.prompt=off',
    'Nothing can be typed at the screen of this computer while it is a standby; else Alt+F2 takes the commands of yado.',
  ],
  [
    'yado.accept-risk=two-copies',
    'Starts the OS from a disk whose OS has gone to another computer. Only when that computer has lost the OS for good.',
  ],
];

const paragraphs = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([head, text]) => `.TP\n.B ${roff(head)}\n${roff(text)}\n`).join('');

/** The page in roff, for `man`. `epochSeconds`: the day at its foot, in seconds since 1970. */
export function manPage(program: ProgramText, epochSeconds: number): string {
  const day = new Date(epochSeconds * 1000).toISOString().slice(0, 10);
  const exitCodes = program.exitCodes.map(
    ([code, meaning]) => [String(code), `${capital(meaning)}.`] as const,
  );
  return [
    `.TH ${program.name.toUpperCase()} 1 ${day} "Yadokari ${program.version}" "User Commands"\n`,
    `.SH NAME\n${program.name} \\- moves a running Linux from one computer to another\n`,
    `.SH SYNOPSIS\n.B ${program.name}\n.I command\n.RI [ options ]\n`,
    `.SH DESCRIPTION\n${roff(program.description)}\n`,
    'Programs, open files and TCP connections go on. The agent\n.B yadod\ndoes the work;\n',
    `.B ${program.name}\nasks it, and needs root. At every moment at most one computer runs the OS: whatever fails before\n`,
    'the target has been granted it, the OS goes on where it was, with one sentence that says why.\n',
    `.SH COMMANDS\n${program.commands.map(each => commandLines(program.name, each)).join('')}`,
    `.SH WORDS\n${paragraphs(words)}`,
    `.SH OPTIONS\n.TP\n\\fB\\-\\-json\\fR\nAnswer in JSON, for programs. Every command takes it.\n`,
    program.options.map(optionLines).join(''),
    `.SH EXIT STATUS\n${paragraphs(exitCodes)}`,
    `.SH KERNEL PARAMETERS\n${paragraphs(parameters)}`,
    `.SH FILES\n${paragraphs(files)}`,
    '.SH NOTES\nOnly tried on emulated computers, never on real hardware. Keep a backup.\n',
    '.SH SEE ALSO\n.BR systemctl (1),\n.BR dmsetup (8),\n.BR bridge (8)\n',
  ].join('');
}
