// The one error of src/wire: bytes that are not what the protocol allows. The agent turns it into a sentence.

export type WireErrorKind = 'badFrame' | 'frameTooLarge' | 'badMessage' | 'badReport';

export class WireError extends Error {
  override readonly name = 'WireError';
  readonly kind: WireErrorKind;

  constructor(kind: WireErrorKind, detail: string) {
    super(detail);
    this.kind = kind;
  }
}
