// Bytes that have come and are not whole yet. They are joined only when there are enough of them, or many: a peer that
// sends byte by byte must not have all of them copied for each.

const mostPieces = 256;

export class Pieces {
  #pieces: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#pieces.length > mostPieces) this.#pieces = [Buffer.concat(this.#pieces)];
  }

  /** All of them; what is to be kept is put back with `add`. */
  take(): Buffer {
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    return all;
  }
}
