// One line a fact on standard output: the journal in the OS, a file in memory elsewhere.

export function log(text: string): void {
  console.log(text);
}
