// How a computer that lends a device says that it lends it no more: waiting mends nothing then.
import { YadoError } from '#core/errors.ts';

const refusals = ['notLentHere', 'lentToAnother', 'unknownDevice', 'staleEpoch', 'notInThisRole'];

export const saysNo = (error: unknown): boolean =>
  error instanceof YadoError && refusals.includes(error.code);
