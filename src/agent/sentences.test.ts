// Every reason of the helper gives a whole sentence and a hint; the errors that a user meets most are read out.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { swapOutLabel } from '#core/image-room.ts';
import { type ReasonName, reasons, type TimedStep, timedSteps } from '#wire/frames.ts';
import type { HelperReport } from '#wire/report.ts';
import { reasonSentence, targetSentence } from './sentences.ts';

const timesUs = Object.fromEntries(timedSteps.map(step => [step, 0])) as Record<TimedStep, number>;
const reportOf = (reason: ReasonName, more: Partial<HelperReport> = {}): HelperReport => ({
  outcome: 'returned',
  reason,
  error: 0,
  operation: -1,
  timesUs,
  pages: 0,
  zeroPages: 0,
  referencedPages: 0,
  preCopyBytes: 0,
  rounds: 0,
  recalledPages: 0,
  wireBytes: 0,
  text: '',
  ...more,
});
const story = { source: 'alpha', target: 'beta', labels: [], claimSeconds: 40, readySeconds: 30 };

for (const reason of Object.keys(reasons) as ReasonName[]) {
  test(`${reason}: a sentence and a hint`, () => {
    const reports = [
      reportOf(reason),
      reportOf(reason, { error: 5, operation: 0, text: 'page frame 0x9f is not RAM here' }),
      reportOf(reason, { error: 99_999, operation: 7 }),
    ];
    for (const report of reports) {
      const { message, hint } = reasonSentence(report, story);
      const atTarget = targetSentence(report, story);
      for (const text of [message, hint, atTarget]) {
        assert.match(text, /\w+ \w+/);
        assert.doesNotMatch(text, /[{}]|undefined|NaN|null/);
      }
      for (const text of [message, atTarget]) {
        assert.match(text, /\.$/);
        assert.match(text, /alpha|beta/);
        assert.doesNotMatch(text, /: [.;,]| {2}|: $/); // no hole where a reason should be
      }
    }
  });
}

test('what a user reads', () => {
  const told = (report: HelperReport, labels: string[] = []): string =>
    reasonSentence(report, { ...story, labels }).message;
  assert.equal(
    told(reportOf('frameOutsideRam', { text: 'page frame 0x3ff00 is not RAM here' })),
    'Page frame 0x3ff00 of the OS lies where beta has no memory.',
  );
  assert.equal(
    told(reportOf('linkLost')),
    'The connection to beta broke while sending; the OS goes on at alpha.',
  );
  assert.equal(
    told(reportOf('claimTimeout')),
    'beta did not claim the OS within 40 s; the OS goes on at alpha.',
  );
  assert.equal(told(reportOf('cancelled')), 'The migration to beta was cancelled; the OS goes on at alpha.');
  assert.match(
    told(reportOf('leave', { error: 16, operation: 1 }), ['first step', 'second step']),
    /^alpha could not second step: EBUSY: [^;]*; the OS goes on at alpha\.$/,
  );
});

test('memory that the kernel does not swap out is told as such, with what to do', () => {
  const report = reportOf('leave', { error: 12, operation: 0 });
  const { message, hint } = reasonSentence(report, { ...story, labels: [swapOutLabel, 'x'] });
  assert.match(
    message,
    /^alpha could not swap out what the image has no room for: ENOMEM: [^;]*; the OS goes on/,
  );
  assert.match(hint, /^end programs on alpha/);
});

test('a time-out tells its seconds, and who refused is named', () => {
  const told = (report: HelperReport): string => reasonSentence(report, story).message;
  assert.match(
    told(reportOf('readyTimeout', { error: 110 })),
    /^beta took longer than 30 s while getting ready/,
  );
  assert.match(told(reportOf('openSnapshot', { error: 1 })), /^alpha offers no \/dev\/snapshot: EPERM/);
  assert.match(told(reportOf('freeze', { error: 16 })), /on alpha would not stand still/);
  // As the target's FAILED frame reaches the source: a reason and a text, no errno.
  assert.match(told(reportOf('freeze', { text: 'the target could not freeze itself' })), /on beta would not/);
  assert.match(told(reportOf('protocol', { text: 'a frame is malformed' })), /^alpha sent a frame/);
});

test('what a user reads at the target', () => {
  const told = (report: HelperReport): string => targetSentence(report, story);
  assert.equal(
    told(reportOf('linkLost', { error: 104 })),
    'The connection to alpha broke while receiving; the OS goes on at alpha.',
  );
  assert.match(told(reportOf('stalled')), /^The connection to alpha broke/);
  assert.match(
    told(reportOf('openSnapshot', { error: 1, text: 'Operation not permitted' })),
    /^beta offers no \/dev\/snapshot: Operation not permitted\.$/,
  );
  assert.match(told(reportOf('restore', { error: 12 })), /^The kernel of beta refused the image/);
  assert.equal(told(reportOf('aborted')), 'The migration to beta was cancelled; the OS goes on at alpha.');
});
