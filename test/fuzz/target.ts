// What a fuzzer is: how its inputs are made, and what must hold for each.
import { YadoError } from '#core/errors.ts';
import { FormatError } from '#linux/system-error.ts';
import { WireError } from '#wire/wire-error.ts';
import type { Random } from './random.ts';

export interface Target {
  readonly name: string;
  /** What is fed with bad input, and what it may do about it. */
  readonly about: string;
  /** Inputs that are tried at once. */
  readonly batch: number;
  /** CPU seconds of this process that a batch may take. */
  readonly cpuSeconds?: number;
  make(random: Random): Buffer;
  open(): Session | Promise<Session>;
}

export interface Session extends AsyncDisposable {
  /** @throws when something does not hold that must */
  attempt(inputs: readonly Buffer[]): void | Promise<void>;
}

/** A decoder: bytes give a value or a refusal, nothing else. `attempt` throws what the decoder throws. */
export function decoder(
  name: string,
  about: string,
  make: (random: Random) => Buffer,
  attempt: (input: Buffer) => unknown,
): Target {
  return {
    name,
    about,
    make,
    batch: 8,
    open: () => ({
      attempt: async inputs => {
        for (const input of inputs) {
          try {
            await attempt(input);
          } catch (error) {
            mustBeRefusal(error);
          }
        }
      },
      [Symbol.asyncDispose]: async () => {},
    }),
  };
}

/** @throws what is not a refusal by name */
export function mustBeRefusal(error: unknown): void {
  const isRefusal = error instanceof YadoError || error instanceof WireError || error instanceof FormatError;
  if (!isRefusal) throw error;
  if (error instanceof YadoError && error.code === 'internal') throw error;
  if (error.message.length > 2000) throw new Error(`a refusal of ${error.message.length} characters`);
}
