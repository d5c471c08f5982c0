// Turns what the frozen helper reports into an error with one sentence and the next command to type. One table.
import { getSystemErrorMap } from 'node:util';
import { type YadoError, yadoError } from '#core/errors.ts';
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
}

type Sentence = (report: HelperReport, story: Story) => YadoError;

const failed = (text: Sentence): Sentence => text;
const step: Sentence = (report, { source, labels }) =>
  yadoError('deviceLeaveFailed', {
    step: labels[report.operation] ?? 'put a device aside',
    computer: source,
    reason: errnoText(report),
  });
const lost: Sentence = (_, { source, target }) =>
  yadoError('linkLost', { computer: target, phase: 'sending', source });

const sentences: Readonly<Record<ReasonName, Sentence>> = {
  none: (report, { source }) =>
    yadoError('internal', { computer: source, reason: report.text || 'the helper gave no reason' }),
  freeze: (_, { source, culprit }) =>
    yadoError('freezeFailed', { task: culprit ?? 'a program', computer: source }),
  leave: step,
  serve: step,
  handover: step,
  image: (report, { source, culprit }) =>
    yadoError('imageFailed', {
      computer: source,
      reason: [report.text || errnoText(report), culprit].filter(Boolean).join(', '),
    }),
  linkLost: lost,
  stalled: lost,
  cancelled: (_, { source, target }) => yadoError('cancelled', { computer: target, source }),
  aborted: (_, { source, target }) => yadoError('cancelled', { computer: target, source }),
  refusedByTarget: (report, { target }) =>
    yadoError('targetRefused', { computer: target, reason: errnoText(report) }),
  claimTimeout: (_, { source, target, claimSeconds }) =>
    yadoError('claimTimeout', { computer: target, seconds: claimSeconds ?? 0, source }),
  protocol: failed((report, { target }) =>
    yadoError('badFrame', { computer: target, reason: errnoText(report) }),
  ),
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
  readyTimeout: (_, { source, target }) =>
    yadoError('phaseTimeout', { computer: target, seconds: 0, phase: 'getting ready', source }),
  arrive: (report, { source }) =>
    yadoError('deviceArriveFailed', {
      step: 'bring a device up again',
      computer: source,
      reason: errnoText(report),
    }),
  ghost: (report, { source }) => yadoError('internal', { computer: source, reason: errnoText(report) }),
  adopt: (report, { target, labels }) =>
    yadoError('deviceArriveFailed', {
      step: labels[report.operation] ?? 'bring the network up',
      computer: target,
      reason: errnoText(report),
    }),
};

/** The error that stands for a report that did not end in an arrival. */
export function reasonSentence(report: HelperReport, story: Story): YadoError {
  return sentences[report.reason](report, story);
}

function errnoText({ error, text }: HelperReport): string {
  if (text) return text;
  const known = getSystemErrorMap().get(-error);
  if (known) return `${known[0]}: ${known[1]}`;
  return error ? `errno ${error}` : 'no reason was given';
}
