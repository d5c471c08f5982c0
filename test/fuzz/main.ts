// npm run fuzz [-- <name>] [--seconds N] [--seed S] [--runs N]: feeds bad input to whatever takes input, all fuzzers one
// after the other, 60 s each. Ends with the failures and exit code 1 when there are any.
import { parseArgs } from 'node:util';
import { failureText, run } from './run.ts';
import { targets } from './targets.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    runs: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});
const wanted = targets.filter(
  ({ name }) => positionals.length === 0 || positionals.some(word => name === word),
);
if (values.list || wanted.length === 0) {
  for (const { name, about } of targets) console.log(`${name.padEnd(16)} ${about}`);
  process.exit(wanted.length === 0 ? 2 : 0);
}

const seed = values.seed === undefined ? (Math.random() * 2 ** 32) >>> 0 : Number(values.seed);
const seconds = Number(values.seconds);
const runs = values.runs === undefined ? Number.POSITIVE_INFINITY : Number(values.runs);
if (!(seed >= 0 && seconds > 0 && runs > 0)) throw new RangeError('seed, seconds and runs are numbers');

const print = (text: string): void => void process.stdout.write(`${text}\n`);
console.log = () => {}; // an agent says what it does
let failed = 0;
print(`seed ${seed}, ${runs < Number.POSITIVE_INFINITY ? `${runs} runs` : `${seconds} s`} each`);
for (const target of wanted) {
  const outcome = await run(target, {
    seed,
    seconds: runs < Number.POSITIVE_INFINITY ? 3600 : seconds,
    runs,
  });
  const rate = Math.round(outcome.runs / Math.max(outcome.seconds, 0.001));
  print(
    `${outcome.failure ? 'FAILED' : 'ok    '}  ${target.name.padEnd(16)} ${outcome.runs} inputs, ${rate} a second`,
  );
  if (outcome.failure) print(failureText(target, outcome.failure));
  failed += outcome.failure ? 1 : 0;
}
process.exit(failed > 0 ? 1 : 0);
