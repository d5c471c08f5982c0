// The lab's own error: what went wrong on which emulated computer, and what to type next.
// The lab is a tool beside the product, so its errors are not in the product's table.

/** Every failure the lab reports on purpose. `hint` is the next thing to try. */
export class LabError extends Error {
  readonly hint: string;

  constructor(message: string, hint = '', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'LabError';
    this.hint = hint;
  }
}

/** The text of anything thrown, for messages. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
