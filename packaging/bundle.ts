// Turns our TypeScript and the npm packages it uses into the JavaScript that the agent image carries: one file for each
// role of the agent, one for the command line. A ghost starts while the OS stands still: finding and compiling a hundred
// files costs it twice what one file does. Names stay as they are written, and a source map lies beside: a stack trace
// can be read. No compiled code is kept: V8 makes other bytes of it each time, and the image must be the same everywhere.
import { cpSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type BuildOptions, buildSync } from 'esbuild';
import { projectRoot } from './cache.ts';

/** The roles of src/agent/main.ts. */
const roles = ['active', 'standby', 'ghost', 'marked', 'farewell'] as const;

/** The agent in one role: for the others there is nothing to load. */
const inRole = (role: (typeof roles)[number]): BuildOptions => ({
  entryPoints: ['src/agent/main.ts'],
  external: roles.filter(each => each !== role).map(each => `./${each}.ts`),
  outfile: `src/agent/${role}.js`,
  format: 'cjs', // Node starts it sooner than ES modules
  // The package looks for the addon of this kind of computer, which is known here.
  alias: { koffi: './node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node' },
  loader: { '.node': 'copy' },
  assetNames: '[name]',
});

const commandLine: BuildOptions = {
  entryPoints: ['src/cli/main.ts'],
  outfile: 'src/cli/main.js',
  format: 'esm',
  // commander is CommonJS and asks for Node's modules by `require`.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
};

/** Loads the file of its role; without one any of them says what is wrong. */
const launcher = `const role = process.argv.find(each => /^--role=(${roles.join('|')})$/.test(each));
require(\`./\${role?.slice('--role='.length) ?? 'ghost'}.js\`);
`;

/** Writes one bundle and its source map below `app`. Returns the paths of what is in it, from the project's root. */
function bundle(app: string, options: BuildOptions): string[] {
  const { outputFiles, metafile } = buildSync({
    ...options,
    absWorkingDir: projectRoot,
    bundle: true,
    platform: 'node',
    target: 'node26',
    charset: 'utf8',
    legalComments: 'none', // the licences lie beside
    sourcemap: 'linked', // Node reads it only with --enable-source-maps
    sourcesContent: false,
    metafile: true,
    write: false, // as if beside the sources: else the source map would tell where `app` lies
  });
  for (const { path, contents } of outputFiles) {
    const to = join(app, relative(projectRoot, path));
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, contents);
  }
  return Object.keys(metafile.inputs);
}

/**
 * Writes `src/agent/main.js`, a file for each of its roles with the native part of koffi beside, and `src/cli/main.js`
 * below `app`, with source maps and the licences of all packages that are in them. The same bytes wherever the project
 * lies.
 */
export function bundleApp(app: string): void {
  const inputs = [...roles.map(inRole), commandLine].flatMap(options => bundle(app, options));
  writeFileSync(join(app, 'src/agent/main.js'), launcher);
  writeFileSync(join(app, 'src/agent/package.json'), '{ "type": "commonjs" }\n');
  cpSync(join(projectRoot, 'package.json'), join(app, 'package.json')); // the command line reads its version there
  mkdirSync(join(app, 'licenses'));
  for (const name of packagesOf(inputs))
    for (const file of globSync('LICEN[CS]E*', { cwd: join(projectRoot, 'node_modules', name) }))
      cpSync(join(projectRoot, 'node_modules', name, file), join(app, 'licenses', name));
}

/** Names of the npm packages that these files are of. */
function packagesOf(paths: readonly string[]): Set<string> {
  const names = paths
    .map(path => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
    .map(name => (name?.startsWith('@koromix/') ? 'koffi' : name)) // its addon has no licence file of its own
    .filter(name => name !== undefined);
  return new Set(names);
}
