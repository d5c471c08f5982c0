// Turns our TypeScript and the npm packages it uses into the JavaScript that the agent image carries: one file for the
// agent, one for the command line. A ghost starts while the OS stands still: looking up and compiling two hundred files
// costs it twice what one file does. Names and lines stay as they are written, so that a stack trace can be read.
import { cpSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BuildOptions, buildSync, type Metafile } from 'esbuild';
import { projectRoot } from './cache.ts';

/** The roles of src/agent/main.ts. */
const roles = ['active', 'standby', 'ghost'] as const;

const common = {
  absWorkingDir: projectRoot,
  bundle: true,
  platform: 'node',
  target: 'node26',
  charset: 'utf8',
  legalComments: 'none', // the licences lie beside
  metafile: true,
  // Node reads it only with --enable-source-maps.
  sourcemap: 'external',
  sourcesContent: false,
} as const satisfies BuildOptions;

/** The agent in one role: for the others there is nothing to load. */
const bundleRole = (role: (typeof roles)[number], folder: string): Metafile =>
  buildSync({
    ...common,
    entryPoints: ['src/agent/main.ts'],
    external: roles.filter(each => each !== role).map(each => `./${each}.ts`),
    outfile: join(folder, `${role}.js`),
    format: 'cjs', // Node starts it sooner than ES modules
    // The package looks for the addon of this kind of computer, which is known here.
    alias: { koffi: './node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node' },
    loader: { '.node': 'copy' },
    assetNames: '[name]',
  }).metafile;

/** Loads the file of its role; without one any of them says what is wrong. */
const launcher = `const role = process.argv.find(each => /^--role=(${roles.join('|')})$/.test(each));
require(\`./\${role?.slice('--role='.length) ?? 'ghost'}.js\`);
`;

/**
 * Writes `src/agent/main.js`, a file for each of its roles with the native part of koffi beside, and `src/cli/main.js`
 * below `app`, with source maps and the licences of all packages that are in them. The same bytes wherever the project
 * lies.
 */
export function bundleApp(app: string): void {
  const agent = join(app, 'src/agent');
  const bundles: Metafile[] = roles.map(role => bundleRole(role, agent));
  writeFileSync(join(agent, 'main.js'), launcher);
  writeFileSync(join(agent, 'package.json'), '{ "type": "commonjs" }\n');
  bundles.push(
    buildSync({
      ...common,
      entryPoints: ['src/cli/main.ts'],
      outfile: join(app, 'src/cli/main.js'),
      format: 'esm',
      // commander is CommonJS and asks for Node's modules by `require`.
      banner: {
        js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      },
    }).metafile,
  );
  cpSync(join(projectRoot, 'package.json'), join(app, 'package.json')); // the command line reads its version there
  mkdirSync(join(app, 'licenses'));
  for (const name of packagesIn(bundles))
    for (const file of globSync('LICEN[CS]E*', { cwd: join(projectRoot, 'node_modules', name) }))
      cpSync(join(projectRoot, 'node_modules', name, file), join(app, 'licenses', name));
}

/** Names of the npm packages that bundles hold, sorted. */
function packagesIn(bundles: readonly Metafile[]): string[] {
  const names = bundles
    .flatMap(bundle => Object.keys(bundle.inputs))
    .map(path => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
    .map(name => (name?.startsWith('@koromix/') ? 'koffi' : name)) // its addon has no licence file of its own
    .filter(name => name !== undefined);
  return [...new Set(names)].toSorted();
}
