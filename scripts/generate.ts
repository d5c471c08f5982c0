// Writes every generated file of the repository from its source table; with --check it writes nothing and fails when a
// file is stale. Each entry is a path from the root and a pure function that gives the text.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { doctorMarkdown } from '#core/doctor-docs.ts';
import { errorsMarkdown } from '#core/errors-docs.ts';
import { faultsMarkdown } from '#core/faults-docs.ts';
import { migrationMarkdown } from '#core/migration-docs.ts';
import { helperHeader } from '#wire/helper-header.ts';
import { protocolMarkdown } from '#wire/protocol-docs.ts';

interface Generated {
  readonly path: string;
  readonly render: () => string;
}

const generated: readonly Generated[] = [
  { path: 'docs/migration.md', render: migrationMarkdown },
  { path: 'docs/doctor.md', render: doctorMarkdown },
  { path: 'docs/errors.md', render: errorsMarkdown },
  { path: 'docs/faults.md', render: faultsMarkdown },
  { path: 'docs/protocol.md', render: protocolMarkdown },
  { path: 'native/frozen/wire.h', render: helperHeader },
];

const root = join(import.meta.dirname, '..');
const checkOnly = process.argv.includes('--check');

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

let staleCount = 0;
for (const { path, render } of generated) {
  const file = join(root, path);
  const text = render();
  if (readOrEmpty(file) === text) continue;
  if (checkOnly) {
    console.error(`${path} is stale; run: npm run generate`);
    staleCount += 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}
if (staleCount > 0) process.exitCode = 1;
