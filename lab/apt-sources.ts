// Picks Debian's own suites out of this machine's apt sources, so that the lab's OS comes from the same mirrors.
// Pure text work but for readAptSources; never names a host itself and never takes other vendors' entries.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './lab-error.ts';

/** Debian suites a source may name for a release: itself, its updates, its security suite. */
function isDebianSuite(suite: string, release: string): boolean {
  return [release, `${release}-updates`, `${release}-security`].includes(suite);
}

/** The stanzas of a deb822 file that name only Debian's suites of `release`. */
export function debianStanzas(text: string, release: string): string[] {
  return text
    .split(/\n\s*\n/)
    .map(stanza =>
      stanza
        .split('\n')
        .filter(line => !line.startsWith('#'))
        .join('\n')
        .trim(),
    )
    .filter(stanza => {
      const suites = /^Suites:\s*(.+)$/m.exec(stanza)?.[1]?.trim().split(/\s+/) ?? [];
      const off = /^Enabled:\s*no\b/im.test(stanza);
      return !off && suites.length > 0 && suites.every(suite => isDebianSuite(suite, release));
    });
}

/** The one-line entries (`deb [options] uri suite components…`) that name Debian's suites of `release`. */
export function debianLines(text: string, release: string): string[] {
  return text.split('\n').filter(line => {
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?\S+\s+(\S+)/.exec(line.trim());
    return match !== null && isDebianSuite(match[1]!, release);
  });
}

/**
 * This machine's sources for `release`: deb822 text and one-line text, either may be empty.
 * @throws LabError when the machine has none.
 */
export function readAptSources(release: string, aptDir = '/etc/apt'): { deb822: string; lines: string } {
  const parts = join(aptDir, 'sources.list.d');
  const files = [join(aptDir, 'sources.list')];
  if (existsSync(parts))
    files.push(
      ...readdirSync(parts)
        .sort()
        .map(name => join(parts, name)),
    );
  const stanzas: string[] = [];
  const lines: string[] = [];
  for (const file of files) {
    if (!existsSync(file)) continue;
    if (file.endsWith('.sources')) stanzas.push(...debianStanzas(readFileSync(file, 'utf8'), release));
    if (file.endsWith('.list')) lines.push(...debianLines(readFileSync(file, 'utf8'), release));
  }
  if (stanzas.length + lines.length === 0) {
    throw new LabError(`no apt source for Debian ${release} in ${aptDir}`, `add ${release} to ${parts}`);
  }
  return { deb822: stanzas.map(s => `${s}\n`).join('\n'), lines: lines.map(l => `${l}\n`).join('') };
}
