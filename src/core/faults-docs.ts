// Writes docs/faults.md from the table of fault points. Pure; the file itself is written by scripts/generate.ts.

import {
  type FaultKind,
  type FaultResult,
  faultEnds,
  faultKinds,
  faultNames,
  faultPoints,
  faultStages,
  type OuterFault,
  outerFaults,
  outerResults,
} from './faults.ts';

function resultText([kind, { end, code, n }]: [string, FaultResult]): string {
  const armed = `\`${kind}${n === undefined ? '' : `=${n}`}\``;
  return `${armed} ${end}${code ? ` (\`${code}\`)` : ''}`;
}

function row(name: (typeof faultNames)[number]): string {
  const { phase, stage, step, kinds } = faultPoints[name];
  const results = (Object.entries(kinds) as [FaultKind, FaultResult][]).map(resultText).join(', ');
  return `| \`${name}\` | ${phase} | ${stage} | it ${step} | ${results} |`;
}

/** docs/faults.md. */
export function faultsMarkdown(): string {
  const kinds = Object.entries(faultKinds).map(
    ([kind, { what, n }]) => `| \`${kind}\` | ${what} | ${n || '–'} |`,
  );
  const ends = Object.entries(faultEnds).map(([end, what]) => `| ${end} | ${what} |`);
  const outer = Object.keys(outerFaults) as OuterFault[];
  return [
    '# Faults',
    '',
    'Generated from `src/core/faults.ts`; do not edit.',
    '',
    'Every step of a move has a name, under which a test can make it fail. Faults are armed in `/run/yado/faults`, or in the environment variable `YADO_FAULTS` of the agent, on the computer whose step it is (those of the copy and the ghost on A), as `point:kind` or `point:kind=N`, several with commas between them. They are read when a move begins. Each strikes once, and says so in the kernel log: `yado: fault source.image:delay`.',
    '',
    '`test/faults.test.ts` and `test/faults-outside.test.ts` walk all points of the frozen helpers (real helpers on kernels that are not), `test/lab/faults.long.test.ts` (`npm run lab -- faults`, 20 minutes) some of them on emulated computers. After each: at no time two computers run the OS, and it is where the table says; what was put aside is back; B can take in an OS again; the message names the cause.',
    '',
    '## How a step can fail',
    '',
    '| kind | what happens | N |',
    '|---|---|---|',
    ...kinds,
    '',
    '## What follows',
    '',
    '| | |',
    '|---|---|',
    ...ends,
    '',
    '## The points',
    '',
    'In brackets: the [error](errors.md) that a person reads at A.',
    '',
    '| point | phase | stage | strikes when | what follows |',
    '|---|---|---|---|---|',
    ...faultNames.map(row),
    '',
    '## Cables and power',
    '',
    'At any step, by the stage the move has come to:',
    '',
    `| stage | ${outer.map(each => outerFaults[each]).join(' | ')} |`,
    `|---|${outer.map(() => '---|').join('')}`,
    ...faultStages.map(stage => `| ${stage} | ${outer.map(each => outerResults[stage][each]).join(' | ')} |`),
    '',
    'Where A was switched off with a mark on its disk and B has lost power too, A asks B: a standby B says that it has nothing, and the OS starts from the disk. Where no program may decide a person must, with `yado resume` at A: when B does not answer, or has lost power behind the grant. See [the mark](disk.md#the-mark).',
    '',
  ].join('\n');
}
