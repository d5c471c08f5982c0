// Picks Debian's own suites out of this machine's apt sources, so that the lab's OS comes from the same mirrors, whatever
// release it is of. Pure text work but for readAptSources; never names a host itself and never takes other vendors' entries.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from './lab-error.ts';

/** A Debian release, and whether its backports are wanted beside it. */
export interface AptRequest {
  /** Code name: "bookworm". */
  readonly release: string;
  readonly withBackports?: boolean;
}

/** Of apt, as files hold them: deb822 text and one-line text, either may be empty. */
export interface AptSources {
  readonly deb822: string;
  readonly lines: string;
}

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

/** The same sources of another release: Debian's mirrors have all releases at one place. */
function ofRelease(text: string, from: string, to: string): string {
  return text.replaceAll(new RegExp(`(?<=[\\s:])${from}(?=-(?:updates|security)\\b|\\s|$)`, 'g'), to);
}

/** What sources of a release say of its backports, which lie where the release itself lies. */
export function backportsOf({ deb822, lines }: AptSources, release: string): AptSources {
  const backports = `${release}-backports`;
  const isMain = (suites: string): boolean => suites.trim().split(/\s+/).includes(release);
  return {
    deb822: deb822
      .split(/\n\s*\n/)
      .filter(stanza => isMain(/^Suites:(.+)$/m.exec(stanza)?.[1] ?? ''))
      .map(stanza => `${stanza.trim().replace(/^Suites:.*$/m, `Suites: ${backports}`)}\n`)
      .join('\n'),
    lines: lines
      .split('\n')
      .filter(line => isMain(/^deb\s+(?:\[[^\]]*\]\s+)?\S+\s+(\S+)/.exec(line.trim())?.[1] ?? ''))
      .map(line => `${line.replace(new RegExp(`\\s${release}(?=\\s)`), ` ${backports}`)}\n`)
      .join(''),
  };
}

function readSources(release: string, aptDir: string): AptSources {
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
  return { deb822: stanzas.map(s => `${s}\n`).join('\n'), lines: lines.map(l => `${l}\n`).join('') };
}

/** The code name of the release this machine runs. */
const releaseHere = (): string =>
  /^VERSION_CODENAME="?(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';

/**
 * This machine's sources for a release; where it has none, those of its own release with the other's name.
 * @throws LabError when it has neither.
 */
export function readAptSources(
  { release, withBackports = false }: AptRequest,
  aptDir = '/etc/apt',
  here: string = releaseHere(),
): AptSources {
  let found = readSources(release, aptDir);
  if (found.deb822 + found.lines === '') {
    const own = readSources(here, aptDir);
    found = { deb822: ofRelease(own.deb822, here, release), lines: ofRelease(own.lines, here, release) };
  }
  if (found.deb822 + found.lines === '') {
    throw new LabError(
      `no apt source for Debian ${release} in ${aptDir}`,
      `add ${release} to ${join(aptDir, 'sources.list.d')}`,
    );
  }
  if (!withBackports) return found;
  const backports = backportsOf(found, release);
  return {
    deb822: [found.deb822, backports.deb822].filter(text => text !== '').join('\n'),
    lines: found.lines + backports.lines,
  };
}
