// What a person reads before a move: errors first, what to type, and what is well only as a number.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CheckResult } from '#core/preflight.ts';
import { renderDoctor, renderDryRun } from './render-checks.ts';

const check = (
  id: string,
  severity: CheckResult['severity'],
  change: Partial<CheckResult> = {},
): CheckResult => ({
  id,
  ok: false,
  severity,
  accepted: false,
  text: `${id} is wrong on a.`,
  hint: `mend ${id}`,
  ...change,
});
const well = (id: string) => check(id, 'error', { ok: true, text: `${id} is as it should be`, hint: '' });
const ways = [
  { device: 'display0', way: 'converted', computer: 'b', reason: 'b has another display card' },
  { device: 'disk0', way: 'remote', computer: 'a', reason: 'it stays at a and is used over the network' },
] as const;
const plain = { all: false, columns: undefined };

test('errors come first, then warnings, then notes, each with what to do; what is well is counted', () => {
  const checks = [
    well('nic'),
    check('model', 'note', { hint: 'nothing to do' }),
    check('cpu-count', 'warning'),
    well('swap'),
    check('rtc', 'note'),
    check('role', 'error', { hint: 'yado standby b' }),
  ];
  assert.equal(
    renderDoctor({ computer: 'a', role: 'active', with: 'b', checks, ways: [...ways] }, plain),
    `From a to b

ERRORS (the OS cannot move before these are mended)
  role       role is wrong on a.
             -> yado standby b

WARNINGS (the OS moves only if these are accepted by name)
  cpu-count  cpu-count is wrong on a.
             -> mend cpu-count
             -> or accept it: yado migrate b --accept-risk cpu-count

NOTES (these refuse nothing)
  model      model is wrong on a.
  rtc        rtc is wrong on a.
             -> mend rtc

2 checks are well (to see them: yado doctor --with b --all).

DEVICE    WAY        AT  BECAUSE
display0  converted  b   b has another display card
disk0     remote     a   it stays at a and is used over the network

The OS cannot move to b yet.
`,
  );
});

test('--all shows each that is well; alone it says how to compare', () => {
  const text = renderDoctor(
    { computer: 'a', role: 'active', checks: [well('nic')] },
    { ...plain, all: true },
  );
  assert.match(text, /^a, which has the OS\n\nWELL \(1\)\n {2}nic {2}nic is as it should be\n/);
  assert.match(text, /yado doctor --with <computer>\n$/);
  const standby = renderDoctor({ computer: 'b', role: 'standby', checks: [well('nic')] }, plain);
  assert.match(
    standby,
    /^b, a standby that waits for an OS\n[\s\S]*Nothing here keeps this computer from taking in/,
  );
  const locked = renderDoctor(
    { computer: 'b', role: 'standby', checks: [check('snapshot', 'error')] },
    plain,
  );
  assert.match(locked, /This computer cannot take in an OS yet\.\n$/);
});

test('all well: what to type next', () => {
  const text = renderDoctor(
    { computer: 'a', role: 'active', with: 'b', checks: [well('nic')], ways: [...ways] },
    plain,
  );
  assert.match(text, /\nThe OS can move to b: yado migrate b\n$/);
});

test('a dry run says the same, and what would be done', () => {
  const accepted = check('cpu-count', 'warning', { accepted: true });
  const text = renderDryRun(
    { checks: [accepted, well('nic')], ways: [...ways], plan: ['freeze a'] },
    'b',
    plain,
  );
  assert.match(text, /\nACCEPTED\n {2}cpu-count {2}cpu-count is wrong on a\.\n\n/);
  assert.match(text, /\ndisk0 .*\n\nWHAT WOULD BE DONE\n {2}1\. freeze a\n\nNothing was changed\.\n$/);
  const refused = renderDryRun(
    { checks: [check('role', 'error')], ways: [], plan: ['freeze a'] },
    'b',
    plain,
  );
  assert.match(refused, /The OS cannot move to b yet\.\n$/);
  assert.doesNotMatch(refused, /freeze a/);
});

test('on a screen lines are broken at blanks, below their beginning; no control character gets there', () => {
  const long = check('swap', 'error', { text: `${'many words '.repeat(12)}\u001b[2J${'x'.repeat(90)}.` });
  const text = renderDoctor({ computer: 'a', role: 'active', checks: [long] }, { all: false, columns: 60 });
  const lines = text.split('\n').filter(line => line.startsWith('  '));
  assert.ok(
    lines.every(line => line.length <= 60),
    text,
  );
  assert.ok(
    lines.slice(1).every(line => line.startsWith(' '.repeat(8))),
    text,
  );
  assert.match(text, /\?\[2J/);
  assert.equal(text.split(/\s+/).filter(word => word === 'many').length, 12);
});
