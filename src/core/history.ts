// One entry for every move that was tried, kept with the OS. Pure values; the list is short and newest first.

import * as v from 'valibot';
import { DowntimeSchema } from './downtime.ts';

export const ErrorBodySchema = v.object({ code: v.string(), message: v.string(), hint: v.string() });
export type ErrorBody = Readonly<v.InferOutput<typeof ErrorBodySchema>>;

export const outcomes = ['moved', 'rolledBack', 'refused', 'cancelled'] as const;

const Count = v.pipe(v.number(), v.minValue(0));

export const HistoryEntrySchema = v.object({
  /** Of no other move while the OS runs. */
  id: v.string(),
  source: v.string(),
  target: v.string(),
  /** Epoch of the handover. */
  epoch: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  outcome: v.picklist(outcomes),
  /** Wall time, ISO 8601. */
  startedAt: v.string(),
  endedAt: v.string(),
  /** Bytes that went over the wire for the move. */
  bytesSent: Count,
  /** What was copied while the OS ran, in how many rounds, and how many pages of the image the target then had already. */
  preCopy: v.optional(v.object({ bytes: Count, rounds: Count, pagesReferenced: Count, pages: Count })),
  /** Present when the OS moved. */
  downtime: v.optional(DowntimeSchema),
  /** How long the OS stood still when it did not move, in ms. */
  pausedMs: v.optional(Count),
  /** How much of that it took from the decision to stay until its programs went on, in ms. */
  returnMs: v.optional(Count),
  /** Present when it did not. */
  error: v.optional(ErrorBodySchema),
});
export type HistoryEntry = Readonly<v.InferOutput<typeof HistoryEntrySchema>>;
export type History = readonly HistoryEntry[];

export const HistorySchema = v.pipe(v.array(HistoryEntrySchema), v.maxLength(1000));

/** The history with `entry` first; the oldest beyond `limit` are forgotten. An entry of the same id is replaced. */
export function withEntry(history: History, entry: HistoryEntry, limit = 100): History {
  return [entry, ...history.filter(each => each.id !== entry.id)].slice(0, limit);
}
