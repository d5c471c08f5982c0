// One line a fact on standard output (the journal in the OS, a file in memory elsewhere) and in the kernel log, which is
// all there is to read where user space stands still.
import { appendFileSync } from 'node:fs';

export function log(text: string): void {
  console.log(text);
  try {
    appendFileSync('/dev/kmsg', `yado: ${text.replaceAll('\n', ' ').slice(0, 800)}\n`);
  } catch {
    // Not root, or no kernel log: standard output has it.
  }
}
