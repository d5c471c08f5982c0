// Turns what the frozen helper reports into an error with one sentence and the next command to type. One table.
import { getSystemErrorMap } from 'node:util';
import { type YadoError, yadoError } from '#core/errors.ts';
import { swapOutLabel } from '#core/image-room.ts';
import type { ReasonName } from '#wire/frames.ts';
import type { HelperReport } from '#wire/report.ts';

export interface Story {
  readonly source: string;
  readonly target: string;
  /** Labels of the steps of the plan that the reason belongs to. */
  readonly labels: readonly string[];
  /** The task or device that refused, as the kernel log names it. */
  readonly culprit?: string;
  readonly claimSeconds?: number;
  readonly readySeconds?: number;
}

type Sentence = (report: HelperReport, story: Story) => YadoError;

const step: Sentence = (report, { source, labels }) =>
  yadoError('deviceLeaveFailed', {
    step: labels[report.operation] ?? 'put a device aside',
    computer: source,
    reason: errnoText(report),
  });
const leave: Sentence = (report, story) =>
  story.labels[report.operation] === swapOutLabel
    ? yadoError('swapOutFailed', { computer: story.source, reason: errnoText(report) })
    : step(report, story);
const lost: Sentence = (_, { source, target }) =>
  yadoError('linkLost', { computer: target, phase: 'sending', source });

const sentences: Readonly<Record<ReasonName, Sentence>> = {
  none: (report, { source }) =>
    yadoError('internal', { computer: source, reason: report.text || 'the helper gave no reason' }),
  freeze: (_, { source, culprit }) =>
    yadoError('freezeFailed', { task: culprit ?? 'a program', computer: source }),
  leave,
  serve: step,
  image: (report, { source, culprit }) =>
    yadoError('imageFailed', {
      computer: source,
      reason: [report.text || errnoText(report), culprit].filter(Boolean).join(', '),
    }),
  linkLost: lost,
  stalled: lost,
  tampered: (_, { source, target }) => yadoError('tampered', { computer: target, source }),
  cancelled: (_, { source, target }) => yadoError('cancelled', { computer: target, source }),
  aborted: (_, { source, target }) => yadoError('cancelled', { computer: target, source }),
  refusedByTarget: (report, { target }) =>
    yadoError('targetRefused', { computer: target, reason: errnoText(report) }),
  claimTimeout: (_, { source, target, claimSeconds }) =>
    yadoError('claimTimeout', { computer: target, seconds: claimSeconds ?? 0, source }),
  protocol: (report, { target }) => yadoError('badFrame', { computer: target, reason: errnoText(report) }),
  frameOutsideRam: (report, { target }) =>
    yadoError('frameOutsideRam', {
      computer: target,
      frame: /0x[0-9a-f]+/.exec(report.text)?.[0] ?? '(unknown)',
    }),
  noMemory: (_, { target }) =>
    yadoError('targetRefused', { computer: target, reason: 'its memory ran out while it took in the image' }),
  badImage: (report, { source, target }) =>
    yadoError('restoreFailed', { computer: target, reason: errnoText(report), source }),
  restore: (report, { source, target }) =>
    yadoError('restoreFailed', { computer: target, reason: errnoText(report), source }),
  openSnapshot: (report, { source }) =>
    yadoError('noSnapshotDevice', { computer: source, reason: errnoText(report) }),
  readyTimeout: (_, { source, target, readySeconds }) =>
    yadoError('phaseTimeout', {
      computer: target,
      seconds: readySeconds ?? 0,
      phase: 'getting ready',
      source,
    }),
  arrive: (report, { source }) =>
    yadoError('deviceArriveFailed', {
      step: 'bring a device up again',
      computer: source,
      reason: errnoText(report),
    }),
  mark: (report, { source, target }) =>
    yadoError('markFailed', { computer: source, reason: errnoText(report), target }),
  ghost: (report, { source, target }) =>
    yadoError('ghostFailed', { computer: source, reason: errnoText(report), target }),
  adopt: (report, { target, labels }) =>
    yadoError('deviceArriveFailed', {
      step: labels[report.operation] ?? 'bring the network up',
      computer: target,
      reason: errnoText(report),
    }),
};

/** What the target says about itself: there the same reason is about another computer. */
const ofTarget: Readonly<Partial<Record<ReasonName, Sentence>>> = {
  none: (report, { target }) =>
    yadoError('internal', { computer: target, reason: report.text || 'the helper gave no reason' }),
  freeze: (_, { target }) => yadoError('freezeFailed', { task: 'a program', computer: target }),
  openSnapshot: (report, { target }) =>
    yadoError('noSnapshotDevice', { computer: target, reason: errnoText(report) }),
  protocol: (report, { source }) => yadoError('badFrame', { computer: source, reason: errnoText(report) }),
};
const tamperedAtTarget: Sentence = (_, { source }) => yadoError('tampered', { computer: source, source });
const lostAtTarget: Sentence = (_, { source }) =>
  yadoError('linkLost', { computer: source, phase: 'receiving', source });

const atTarget: typeof ofTarget = {
  linkLost: lostAtTarget,
  stalled: lostAtTarget,
  tampered: tamperedAtTarget,
};

/** The error that stands for a report that did not end in an arrival, told at the source. */
export function reasonSentence(report: HelperReport, story: Story): YadoError {
  // The source's helper fills in an errno of its own; of what the target said it has only the text.
  const fromTarget = report.error === 0 && report.operation < 0 && report.text !== '';
  return ((fromTarget ? ofTarget[report.reason] : undefined) ?? sentences[report.reason])(report, story);
}

/** The same for the report of the target's own helper, told at the target. One sentence. */
export function targetSentence(report: HelperReport, story: Omit<Story, 'labels'>): string {
  const { reason } = report;
  const sentence = atTarget[reason] ?? ofTarget[reason] ?? sentences[reason];
  return sentence(report, { ...story, labels: [] }).message;
}

function errnoText({ error, text }: HelperReport): string {
  if (text) return text;
  const known = getSystemErrorMap().get(-error);
  if (known) return `${known[0]}: ${known[1]}`;
  return error ? `errno ${error}` : 'no reason was given';
}
