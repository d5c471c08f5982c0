// Writes docs/errors.md from the error table. Pure; the file itself is written by scripts/generate.ts.

import { type ErrorFamily, errorTable, families } from './errors.ts';

const cell = (text: string) => text.replaceAll('|', '\\|').replace(/\{(\w+)\}/g, '*$1*');

/** docs/errors.md: every error, by family, with the exit code of the CLI. */
export function errorsMarkdown(): string {
  const lines = [
    '# Errors',
    '',
    'Generated from `src/core/errors.ts`; do not edit.',
    '',
    'Every error has a code (stable, in `--json` as `error.code`), one sentence, and a hint: what to type next. The exit code of `yado` tells its family.',
  ];
  for (const family of Object.keys(families) as ErrorFamily[]) {
    const { exitCode, title } = families[family];
    lines.push('', `## ${title} (exit code ${exitCode})`, '', '| code | sentence | hint |', '|---|---|---|');
    for (const [code, entry] of Object.entries(errorTable)) {
      if (entry.family === family) lines.push(`| \`${code}\` | ${cell(entry.what)} | ${cell(entry.hint)} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}
