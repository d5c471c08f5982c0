// Renders native/frozen/wire.h: every number the helper shares with TypeScript, and the rows of the migration
// table that the helper runs. The C side has no second definition of any of them.

import { faultKinds, faultNames, faultNumber } from '#core/faults.ts';
import type { Row } from '#core/migration-table.ts';
import { copyRows, sourceRows, sourceRunner, targetRows, targetRunner } from '#core/migration-table.ts';
import {
  claim,
  claimKeyBytes,
  frameHeaderBytes,
  frameMagic,
  frameTypes,
  hadBytes,
  jobFields,
  macBytes,
  maxJobBytes,
  maxParkPages,
  maxPayloadBytes,
  maxTextBytes,
  maxTlsBytes,
  outcomes,
  packedPrologueBytes,
  pagesPerFrame,
  pagesPrologueBytes,
  parkPrologueBytes,
  pastClaimBytes,
  planFlagMayFail,
  planOps,
  preCopyBytes,
  reasons,
  tagSeedBytes,
  timedSteps,
  tokenBytes,
  wireVersion,
} from '#wire/frames.ts';

const upper = (name: string): string =>
  name
    .replace(/([A-Z])/g, '_$1')
    .replace('.', '_')
    .toUpperCase();
const define = (name: string, value: number): string =>
  `#define ${name} ${value > 0xffff ? `0x${value.toString(16)}` : value}`;
const defines = (prefix: string, entries: readonly (readonly [string, number])[]): string[] =>
  entries.map(([name, value]) => define(`${prefix}_${upper(name)}`, value));
const numbers = (table: Record<string, { number: number }>): [string, number][] =>
  Object.entries(table).map(([name, row]) => [name, row.number]);

function transitions(
  role: string,
  rows: readonly Row<string, string, string>[],
  helperStates: readonly string[],
): string[] {
  const helper = new Set(helperStates);
  const mine = rows.filter(row => row.from.some(state => helper.has(state)));
  const unique = (values: string[]): string[] => [...new Set(values)];
  const states = unique([
    'none',
    ...mine.flatMap(row => [...row.from.filter(s => helper.has(s)), ...(row.to === 'same' ? [] : [row.to])]),
  ]);
  const events = unique(mine.flatMap(row => [...row.on]));
  const effects = unique(mine.flatMap(row => [...row.effects]));
  const P = role.toUpperCase();
  const cells = mine.flatMap(row =>
    row.from
      .filter(s => helper.has(s))
      .flatMap(from =>
        row.on.map(on => {
          const to = row.to === 'same' ? from : row.to;
          const mask = row.effects.map(effect => `${P}_DO_${upper(effect)}`).join(' | ') || '0';
          return `  [${P}_${upper(from)}][${P}_ON_${upper(on)}] = { ${P}_${upper(to)}, ${mask} },`;
        }),
      ),
  );
  return [
    `enum { ${states.map(s => `${P}_${upper(s)}`).join(', ')}, ${P}_STATES };`,
    `enum { ${events.map(e => `${P}_ON_${upper(e)}`).join(', ')}, ${P}_EVENTS };`,
    `enum { ${effects.map((e, i) => `${P}_DO_${upper(e)} = ${1 << i}`).join(', ')} };`,
    `static const struct transition ${role}_table[${P}_STATES][${P}_EVENTS] __attribute__((unused)) = {`,
    ...cells,
    '};',
    '',
  ];
}

/** The whole header as text; `scripts/generate.ts` writes it and checks that it is not stale. */
export function helperHeader(): string {
  const helperOf = (runner: Record<string, string>): string[] =>
    Object.keys(runner).filter(state => runner[state] === 'helper');
  return [
    '// Generated from src/wire/frames.ts, src/core/migration-table.ts and src/core/faults.ts by `npm run generate`. Do not edit.',
    '#pragma once',
    '#include <stddef.h>',
    '#include <stdint.h>',
    '',
    define('FRAME_MAGIC', frameMagic),
    define('WIRE_VERSION', wireVersion),
    define('FRAME_HEADER_BYTES', frameHeaderBytes),
    define('PAGES_PER_FRAME', pagesPerFrame),
    define('PAGES_PROLOGUE_BYTES', pagesPrologueBytes),
    define('PARK_PROLOGUE_BYTES', parkPrologueBytes),
    define('PRE_COPY_BYTES', preCopyBytes),
    define('PACKED_PROLOGUE_BYTES', packedPrologueBytes),
    define('TAG_SEED_BYTES', tagSeedBytes),
    define('HAD_BYTES', hadBytes),
    define('MAX_PAYLOAD_BYTES', maxPayloadBytes),
    define('MAX_JOB_BYTES', maxJobBytes),
    define('MAX_PARK_PAGES', maxParkPages),
    define('MAX_TEXT_BYTES', maxTextBytes),
    define('TOKEN_BYTES', tokenBytes),
    define('CLAIM_KEY_BYTES', claimKeyBytes),
    define('MAC_BYTES', macBytes),
    define('PAST_CLAIM_BYTES', pastClaimBytes),
    define('MAX_TLS_BYTES', maxTlsBytes),
    ...defines('FRAME', numbers(frameTypes)),
    ...defines('OP', numbers(planOps)),
    define('OP_MAY_FAIL', planFlagMayFail),
    ...defines('FIELD', Object.entries(jobFields)),
    ...defines('OUTCOME', Object.entries(outcomes)),
    ...defines('REASON', Object.entries(reasons)),
    `enum { ${faultNames.map(name => `FAULT_${upper(name)} = ${faultNumber(name)}`).join(', ')}, FAULT_POINTS };`,
    `enum { ${Object.entries(faultKinds)
      .map(([kind, { number }]) => `KIND_${upper(kind)} = ${number}`)
      .join(', ')}, FAULT_KINDS };`,
    `static const char *const fault_names[] __attribute__((unused)) = { NULL, ${faultNames.map(name => `"${name}"`).join(', ')} };`,
    `static const char *const kind_names[] __attribute__((unused)) = { NULL, ${Object.keys(faultKinds)
      .map(kind => `"${kind}"`)
      .join(', ')} };`,
    `enum { ${timedSteps.map(step => `STEP_${upper(step)}`).join(', ')}, STEPS };`,
    define('CLAIM_MAGIC', claim.magic),
    define('CLAIM_BYTES', claim.bytes),
    ...defines('CLAIM_KIND', Object.entries(claim.kinds)),
    ...defines('CLAIM_AT', Object.entries(claim.offsets)),
    '',
    'struct transition { uint8_t next; uint16_t effects; };',
    '',
    ...transitions('source', sourceRows, helperOf(sourceRunner)),
    ...transitions('target', targetRows, helperOf(targetRunner)),
    ...transitions('copy', copyRows, ['arriving', 'claiming', 'resuming', 'refused']),
  ].join('\n');
}
