// The mark of a disk that several computers reach. Whoever has the OS uses it by itself; the one that starts from it must come up
// as a standby meanwhile, under its own name, and neither serve nor start anything. Pure.
import * as v from 'valibot';
import { ComputerSchema } from '#core/computer.ts';

const Text = v.pipe(v.string(), v.maxLength(256));

/** The computer that starts from the disk; `nic`: MAC of the card with its address. */
export const StartsSchema = v.strictObject({ ...ComputerSchema.entries, nic: v.exactOptional(Text) });
export type Starts = Readonly<v.InferOutput<typeof StartsSchema>>;

/** Of what a ghost has written, as much as is read here: all of it is kept. */
const LeftMarkSchema = v.looseObject({
  osId: Text,
  computer: v.object(ComputerSchema.entries),
  nic: v.exactOptional(Text),
  starts: v.exactOptional(StartsSchema),
  epoch: v.number(),
});

export interface SharedMark {
  readonly starts: Starts;
  /** What the mark is to say while `computer` uses the disk by itself. */
  readonly usedBy: (computer: string) => string;
}

/**
 * Of a mark that was written when the OS asked for its disk in that epoch, its newest: whoever reads it here sees the very disk on which it was written there.
 * Undefined when it is another one.
 */
export function sharedMark(text: string | undefined, osId: string, epoch: number): SharedMark | undefined {
  const read = v.safeParse(LeftMarkSchema, parsed(text));
  if (!read.success || read.output.osId !== osId || read.output.epoch !== epoch) return undefined;
  const mark = read.output;
  const { computer, nic } = mark;
  const starts = mark.starts ?? { ...computer, ...(nic !== undefined && { nic }) };
  return {
    starts,
    usedBy: by => JSON.stringify({ ...mark, state: 'left', starts, usedBy: by }),
  };
}

/** The computer that uses the disk by itself, for who would serve it. */
export function userOf(text: string | undefined): string | undefined {
  const read = v.safeParse(v.object({ usedBy: Text }), parsed(text));
  return read.success ? read.output.usedBy : undefined;
}

/** True where another computer writes the mark, or has taken it away because it starts from the disk. `starts`: as it was left. */
export const isMarkedElsewhere = (mark: string | undefined, starts: Starts | undefined): boolean =>
  mark === undefined ? starts !== undefined : userOf(mark) !== undefined;

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
