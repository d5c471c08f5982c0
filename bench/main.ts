// `npm run bench [-- move|stop-and-copy|return|slow|display|printer|remote-disk|overhead …]`: measurements in the lab, one after the
// other; all of them without a name.
// `npm run bench -- compare [METHOD[:WORKLOAD] …]`: beside other ways of moving (compare/main.ts); hours without a name.
// Figures of emulated computers compare only with each other.
import { errorText, LabError } from '#lab/lab-error.ts';
import { benchCompare } from './compare/main.ts';
import { benchDisplay } from './display.ts';
import { benchMove } from './move.ts';
import { benchOverhead } from './overhead.ts';
import { benchPrinter } from './printer.ts';
import { benchRemoteDisk } from './remote-disk.ts';
import { benchReturn, benchSlow } from './return.ts';

const benches: Readonly<Record<string, () => Promise<void>>> = {
  move: () => benchMove(),
  'stop-and-copy': () => benchMove('stop-and-copy', ' --stop-and-copy'),
  return: benchReturn,
  slow: benchSlow,
  display: benchDisplay,
  printer: benchPrinter,
  'remote-disk': benchRemoteDisk,
  overhead: benchOverhead,
};

async function bench(names: readonly string[]): Promise<void> {
  if (names[0] === 'compare') return benchCompare(names.slice(1));
  const unknown = names.find(name => !Object.hasOwn(benches, name));
  if (unknown !== undefined)
    throw new LabError(
      `there is no bench "${unknown}"`,
      `one of: ${Object.keys(benches).join(', ')}, compare`,
    );
  for (const name of names.length > 0 ? names : Object.keys(benches)) {
    console.log(`\n${name}`);
    await benches[name]!();
  }
}

bench(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`bench: ${errorText(error)}`);
  if (error instanceof LabError && error.hint !== '') console.error(`  try: ${error.hint}`);
  process.exitCode = 1;
});
