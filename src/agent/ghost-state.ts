// What the agent leaves to its ghost, as JSON on the ghost's command line.
import * as v from 'valibot';
import { cipherNames } from '#core/ciphers.ts';
import { ComputerSchema } from '#core/computer.ts';
import { KeySchema } from '#core/pins.ts';
import { StartsSchema } from '#devices/disk/shared-mark.ts';
import { leftClasses, type ServiceList } from '#managers/service-list.ts';

const Text = v.pipe(v.string(), v.maxLength(256));
const Epoch = v.pipe(v.number(), v.safeInteger());

export const leftBehindSchema = (services: ServiceList) =>
  v.strictObject({
    osId: Text,
    /** Epoch of the move that left them here. */
    epoch: Epoch,
    behind: v.array(v.union(leftClasses(services).map(each => each.schema))),
  });
export type LeftBehind = v.InferOutput<ReturnType<typeof leftBehindSchema>>;

/** What the mark on a disk says: that its OS is about to leave, or has left. Undecided, a cold start is in between. */
export type MarkState = 'leaving' | 'left';

/** The move in which a disk was left; `key`: what its claim is signed with. */
const LeftMoveSchema = v.strictObject({
  epoch: Epoch,
  to: ComputerSchema,
  key: v.pipe(
    KeySchema,
    v.transform(text => Uint8Array.from(Buffer.from(text, 'base64url'))),
  ),
});
export type LeftMove = v.InferOutput<typeof LeftMoveSchema>;

/** What someone must know who finds the disk on a computer that was switched off: all that the ghost knew. */
export const markSchema = (services: ServiceList) =>
  v.strictObject({
    ...leftBehindSchema(services).entries,
    state: v.picklist(['leaving', 'left']),
    computer: ComputerSchema,
    /** MAC of the card with the machine address. */
    nic: v.exactOptional(Text),
    /** Several computers reach the disk: which one starts from it, and which one has the OS and uses it by itself. */
    starts: v.exactOptional(StartsSchema),
    usedBy: v.exactOptional(Text),
    move: v.exactOptional(LeftMoveSchema),
  });
export type Mark = v.InferOutput<ReturnType<typeof markSchema>>;

/** As it is written on the disk. */
export function encodeMarkText(mark: Mark): string {
  const { move } = mark;
  return JSON.stringify({
    ...mark,
    ...(move && { move: { ...move, key: Buffer.from(move.key).toString('base64url') } }),
  });
}

export const ghostStateSchema = (services: ServiceList) =>
  v.strictObject({
    ...leftBehindSchema(services).entries,
    /** The computer that was left. */
    computer: ComputerSchema,
    /** Where the OS goes. */
    target: ComputerSchema,
    /** What connections to what is left here are encrypted with. */
    cipher: v.picklist(cipherNames),
    /** MAC of the card that the OS used here: of several cards the standby takes this one. */
    nic: v.exactOptional(Text),
    /** Functions whose driver would read its firmware, which lies on the disk that the ghost does not read. */
    withoutDriver: v.array(Text),
    /** The kernel was started on this computer, and may ask its firmware to restart it. */
    startedHere: v.boolean(),
    /** For the command line of the standby after it: what this kernel cannot know of a computer it was not started on. */
    kernelWords: v.array(Text),
  });
export type GhostState = v.InferOutput<ReturnType<typeof ghostStateSchema>>;
