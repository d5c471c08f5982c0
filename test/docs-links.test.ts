// Links of the documentation: each leads to a file that is there, and to a heading of it. The package has docs/ alone, so links
// of its pages stay in there.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const docs = join(root, 'docs');
const fenced = /^\s*```[\s\S]*?^\s*```/gm;

const textOf = (page: string): string => readFileSync(page, 'utf8').replace(fenced, '');

/** As GitHub names headings. */
const anchor = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-');

const anchorsOf = (page: string): string[] =>
  [...textOf(page).matchAll(/^#+\s+(.*)$/gm)].map(([, heading = '']) => anchor(heading));

const linksOf = (page: string): string[] =>
  [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter(target => !/^[a-z]+:/.test(target));

/** Why a link leads nowhere; undefined when it leads somewhere. */
function trouble(page: string, target: string): string | undefined {
  const [path = '', heading] = target.split('#');
  const there = path === '' ? page : resolve(dirname(page), path);
  if (!existsSync(there)) return 'there is no such file';
  if (heading !== undefined && !anchorsOf(there).includes(heading)) return 'there is no such heading';
  if (page.startsWith(`${docs}/`) && !there.startsWith(`${docs}/`)) return 'it leads out of docs/';
  return undefined;
}

test('every link of the documentation leads to a page and a heading that are there', () => {
  const pages = globSync('{README.md,docs/**/*.md}', { cwd: root }).map(name => join(root, name));
  assert.ok(pages.length > 20);
  const broken = pages.flatMap(page =>
    linksOf(page).flatMap(target => {
      const why = trouble(page, target);
      return why === undefined ? [] : [`${relative(root, page)}: ${target}: ${why}`];
    }),
  );
  assert.deepEqual(broken, []);
});
