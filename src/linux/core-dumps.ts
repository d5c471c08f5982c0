// Core dumps of this process: it holds keys, and a dump is a file that others may come to read.
import { C } from '#linux/abi.ts';
import { prctl } from '#linux/ffi.ts';

/** Until this process ends; not for the programs it starts. */
export function forbidCoreDumps(): void {
  prctl(C.PR_SET_DUMPABLE, 0);
}
