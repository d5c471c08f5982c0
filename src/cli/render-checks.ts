// The checks before a move as text: what stands against it first, what can be known but needs nothing last, and what is
// well only as a number. Pure.

import type { Doctor, DryRun } from '#core/api.ts';
import { type CheckResult, standsAgainst } from '#core/preflight.ts';
import { printable, textTable } from './text-table.ts';

export interface CheckView {
  /** Show also what is well. */
  readonly all: boolean;
  /** Lines are broken at this width, characters; undefined for a file or a pipe. */
  readonly columns: number | undefined;
}

type Way = DryRun['ways'][number];

/** What `yado doctor` says. */
export function renderDoctor(answer: Doctor, view: CheckView): string {
  const { computer, role, checks, ways } = answer;
  const other = answer.with;
  const title = other === undefined ? `${computer}, ${subjects[role]}` : `From ${computer} to ${other}`;
  const plain = other === undefined ? 'yado doctor' : `yado doctor --with ${other}`;
  return joined(title, [
    ...checkSections(checks, other, view, `${plain} --all`),
    ...waySection(ways),
    [verdict(checks, other, role)],
  ]);
}

/** What `yado migrate --dry-run` says: the same, and what would be done. */
export function renderDryRun({ checks, ways, plan }: DryRun, target: string, view: CheckView): string {
  const refused = checks.some(standsAgainst);
  const steps = [
    'WHAT WOULD BE DONE',
    ...plan.map((sentence, index) => `  ${index + 1}. ${printable(sentence)}`),
  ];
  return joined(`To ${target}`, [
    ...checkSections(checks, target, view, `yado doctor --with ${target} --all`),
    ...waySection(ways),
    ...(refused ? [] : [steps]),
    [refused ? verdict(checks, target, 'active') : 'Nothing was changed.'],
  ]);
}

const subjects = {
  active: 'which has the OS',
  standby: 'a standby that waits for an OS',
  ghost: 'which an OS has left',
} as const;

const joined = (title: string, sections: readonly (readonly string[])[]): string =>
  `${[[printable(title)], ...sections].map(lines => lines.join('\n')).join('\n\n')}\n`;

interface Section {
  readonly head: string;
  readonly has: (check: CheckResult) => boolean;
}

/** In the order a person needs them. */
const sections: readonly Section[] = [
  {
    head: 'ERRORS (the OS cannot move before these are mended)',
    has: check => !check.ok && check.severity === 'error',
  },
  {
    head: 'WARNINGS (the OS moves only if these are accepted by name)',
    has: check => !check.ok && check.severity === 'warning' && !check.accepted,
  },
  { head: 'ACCEPTED', has: check => !check.ok && check.accepted },
  { head: 'NOTES (these refuse nothing)', has: check => !check.ok && check.severity === 'note' },
];

function checkSections(
  checks: readonly CheckResult[],
  target: string | undefined,
  view: CheckView,
  toSeeAll: string,
): string[][] {
  const width = Math.max(0, ...checks.map(check => printable(check.id).length)) + 4;
  const line = (name: string, text: string): string =>
    broken(`${`  ${name}`.padEnd(width)}${printable(text)}`, width, view.columns);
  const found = sections
    .map(({ head, has }) => ({ head, members: checks.filter(has) }))
    .filter(({ members }) => members.length > 0)
    .map(({ head, members }) => [
      head,
      ...members.flatMap(check => [
        line(printable(check.id), check.text),
        ...advice(check, target).map(text => line('', `-> ${text}`)),
      ]),
    ]);
  const well = checks.filter(check => check.ok);
  const count = `${well.length} ${well.length === 1 ? 'check is' : 'checks are'} well`;
  return [
    ...found,
    view.all
      ? [`WELL (${well.length})`, ...well.map(check => line(printable(check.id), check.text))]
      : [`${count}${well.length > 0 ? ` (to see them: ${printable(toSeeAll)})` : ''}.`],
  ];
}

function advice(check: CheckResult, target: string | undefined): string[] {
  if (check.accepted) return [];
  const hint = check.hint === 'nothing to do' ? [] : [check.hint];
  if (check.severity !== 'warning') return hint;
  return [...hint, `or accept it: yado migrate ${target ?? '<computer>'} --accept-risk ${check.id}`];
}

function waySection(ways: readonly Way[] | undefined): string[][] {
  if (ways === undefined) return [];
  const rows = ways.map(({ device, way, computer, reason }) => [device, way, computer, reason]);
  const table = textTable(
    ['DEVICE', 'WAY', 'AT', 'BECAUSE'],
    rows,
    'The OS has no devices that are managed.',
  );
  return [table.trimEnd().split('\n')];
}

function verdict(checks: readonly CheckResult[], target: string | undefined, role: Doctor['role']): string {
  const what = role === 'active' ? 'The OS can' : 'This computer can';
  const does = role === 'active' ? 'move' : 'take in an OS';
  const where = role === 'active' && target !== undefined ? ` to ${printable(target)}` : '';
  if (checks.some(standsAgainst)) return `${what}not ${does}${where} yet.`;
  if (role !== 'active') return `Nothing here keeps this computer from taking in an OS.`;
  return target === undefined
    ? 'Nothing here keeps the OS from moving; whether it fits another computer says: yado doctor --with <computer>'
    : `${what} ${does}${where}: yado migrate ${printable(target)}`;
}

/** Broken at blanks so that no line is longer than `columns`, the second and later lines indented. */
function broken(text: string, indent: number, columns: number | undefined): string {
  if (columns === undefined || columns <= indent + 20) return text;
  const lines: string[] = [];
  let rest = text;
  while (rest.length > columns) {
    const blank = rest.lastIndexOf(' ', columns);
    const cut = blank > indent ? blank : columns;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = ' '.repeat(indent) + rest.slice(cut).trimStart();
  }
  return [...lines, rest].join('\n');
}
