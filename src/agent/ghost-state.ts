// What the agent leaves to its ghost, as JSON on the ghost's command line.
import * as v from 'valibot';
import { cipherNames } from '#core/ciphers.ts';
import { leftClasses, type ServiceList } from '#managers/service-list.ts';

const Text = v.pipe(v.string(), v.maxLength(256));
const ComputerSchema = v.strictObject({ name: Text, address: Text });

export const leftBehindSchema = (services: ServiceList) =>
  v.strictObject({
    osId: Text,
    /** Epoch of the move that left them here. */
    epoch: v.pipe(v.number(), v.safeInteger()),
    behind: v.array(v.union(leftClasses(services).map(each => each.schema))),
  });
export type LeftBehind = v.InferOutput<ReturnType<typeof leftBehindSchema>>;

export const ghostStateSchema = (services: ServiceList) =>
  v.strictObject({
    ...leftBehindSchema(services).entries,
    /** The computer that was left. */
    computer: ComputerSchema,
    /** Where the OS goes. */
    target: ComputerSchema,
    /** What connections to what is left here are encrypted with. */
    cipher: v.picklist(cipherNames),
    /** For the command line of the standby after it: what this kernel cannot know of a computer it was not started on. */
    kernelWords: v.array(Text),
  });
export type GhostState = v.InferOutput<ReturnType<typeof ghostStateSchema>>;
