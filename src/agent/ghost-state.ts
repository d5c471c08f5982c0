// What the agent leaves to its ghost, as JSON on the ghost's command line.
import * as v from 'valibot';

const Text = v.pipe(v.string(), v.maxLength(256));
const ComputerSchema = v.strictObject({ name: Text, address: Text });

export const GhostStateSchema = v.strictObject({
  /** The computer that was left. */
  computer: ComputerSchema,
  osId: Text,
  epoch: v.pipe(v.number(), v.safeInteger()),
  /** Where the OS goes. */
  target: ComputerSchema,
  behind: v.array(
    v.strictObject({
      device: Text,
      exportName: Text,
      place: v.strictObject({ pciAddress: Text, unit: v.number(), partition: v.optional(v.number()) }),
    }),
  ),
});
export type GhostState = v.InferOutput<typeof GhostStateSchema>;
