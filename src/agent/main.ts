// yadod: starts in one of its roles, `--role=active|standby|ghost|marked`, `look` for what a standby asks before it has one, and
// `farewell`, the last program of an OS.
import { parseArgs } from 'node:util';
import { asYadoError, yadoError } from '#core/errors.ts';
import { forbidCoreDumps } from '#linux/core-dumps.ts';
import type { Config } from './config.ts';
import { log } from './log.ts';

const { values } = parseArgs({
  options: {
    role: { type: 'string' },
    card: { type: 'string' },
    state: { type: 'string' },
    ending: { type: 'string' },
  },
});

const config = async (): Promise<Config> => (await import('./config.ts')).readConfig();

// Each role loads only what it needs: a ghost starts while nothing else may be read from a disk, and in a hurry.
const roles: Readonly<Record<string, () => Promise<void>>> = {
  active: async () => (await import('./active.ts')).runActive(await config()),
  standby: async () => (await import('./standby.ts')).runStandby(await config(), values.card ?? ''),
  marked: async () => (await import('./marked.ts')).runMarked(),
  farewell: async () => (await import('./farewell.ts')).runFarewell(await config(), values.ending ?? ''),
  look: async () => (await import('./look.ts')).runLook(),
  ghost: async () => (await import('./ghost.ts')).runGhost(JSON.parse(values.state ?? '{}')),
};

async function start(): Promise<void> {
  const role = roles[values.role ?? ''];
  if (!role)
    throw yadoError('badUsage', {
      what: 'yadod needs --role=active, standby, ghost, marked, look or farewell',
      command: 'yado',
    });
  forbidCoreDumps();
  await role();
}

start().catch((error: unknown) => {
  const told = asYadoError(error, 'this computer');
  log(`${told.message} (${told.hint})`);
  process.exit(told.exitCode); // half a role is none: whoever has started it starts it anew
});
