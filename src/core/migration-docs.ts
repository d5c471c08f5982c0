// Writes docs/migration.md from the migration table: for each role a state diagram (mermaid) and its rows. Pure; the
// file itself is written by scripts/generate.ts.

import { machines } from './machine.ts';
import type { Role } from './migration-table.ts';

const introductions: Readonly<Record<Role, string>> = {
  source:
    'The computer the OS leaves (A). It owns the OS until it grants the claim; from every state before that it can go back.',
  target: 'The computer that waits (B), until its kernel is replaced by the restored one.',
  copy: 'The restored OS on B, still frozen. It runs no program before it is granted.',
};

interface PlainRow {
  readonly from: readonly string[];
  readonly on: readonly string[];
  readonly to: string;
  readonly effects: readonly string[];
  readonly why: string;
}

function diagram(role: Role): string[] {
  const { start } = machines[role];
  const rows: readonly PlainRow[] = machines[role].rows;
  const arrows = new Map<string, string[]>();
  for (const row of rows.filter(each => each.to !== 'same')) {
    for (const from of row.from) {
      const key = `${from} --> ${row.to}`;
      arrows.set(key, [...(arrows.get(key) ?? []), ...row.on]);
    }
  }
  return [
    '```mermaid',
    'stateDiagram-v2',
    `    [*] --> ${start}`,
    ...[...arrows].map(([arrow, events]) => `    ${arrow} : ${events.join(', ')}`),
    '```',
  ];
}

function table(role: Role): string[] {
  const rows: readonly PlainRow[] = machines[role].rows;
  const list = (names: readonly string[]) => names.join(', ');
  return [
    '| in | on | next | effects | why |',
    '|---|---|---|---|---|',
    ...rows.map(row => {
      const from = row.from.length === machines[role].states.length ? 'every state' : list(row.from);
      const next = row.to === 'same' ? '(same)' : row.to;
      return `| ${from} | ${list(row.on)} | ${next} | ${list(row.effects)} | ${row.why} |`;
    }),
  ];
}

function runners(role: Role): string {
  const { states } = machines[role];
  const runner: Readonly<Record<string, string>> = machines[role].runner;
  const byHelper = states.filter(state => runner[state] === 'helper');
  return `Run by the frozen helper: ${byHelper.join(', ')}. All others are run by the agent.`;
}

/** docs/migration.md. */
export function migrationMarkdown(): string {
  const sections = (Object.keys(machines) as Role[]).flatMap(role => [
    '',
    `## ${role}`,
    '',
    introductions[role],
    '',
    ...diagram(role),
    '',
    ...table(role),
    '',
    runners(role),
  ]);
  return [
    '# The migration, state by state',
    '',
    'Generated from `src/core/migration-table.ts`; do not edit.',
    '',
    'An event that has no row in a state is an error and changes nothing. `test/world.test.ts` explores every order in which messages can be lost, repeated and delayed, timers fire and computers die, and proves that at most one computer runs the OS.',
    ...sections,
    '',
  ].join('\n');
}
