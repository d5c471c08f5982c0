// For tests only: a directory tree in the temporary directory that looks like parts of /proc and /sys.
// Removed at the end of its scope. Never used by the product.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

/** Path -> text of a file, or { link: path from the root } of a symbolic link. */
export type Tree = Readonly<Record<string, string | Buffer | { readonly link: string }>>;

export class FixtureTree implements Disposable {
  readonly root: string;

  constructor(tree: Tree) {
    this.root = mkdtempSync(join(tmpdir(), 'yado-tree-'));
    for (const [path, content] of Object.entries(tree)) {
      const full = join(this.root, path);
      mkdirSync(dirname(full), { recursive: true });
      if (typeof content === 'string' || Buffer.isBuffer(content)) writeFileSync(full, content);
      else symlinkSync(relative(dirname(full), join(this.root, content.link)), full);
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
