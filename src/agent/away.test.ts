// What is told to the OS while it is away, in a directory that looks like its /run.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { setAway } from './away.ts';

const units = 'run/systemd/system';
const run = { 'run/yado/memory': 'pmem\n', [`${units}/other.service`]: '' };

test('an OS that is away does not sleep; at home again it does as before', () => {
  using tree = new FixtureTree(run);
  assert.equal(setAway(true, tree.root), true);
  assert.ok(existsSync(join(tree.root, 'run/yado/away')));
  assert.equal(readlinkSync(join(tree.root, units, 'suspend.target')), '/dev/null');
  assert.equal(setAway(true, tree.root), false, 'from one computer to the next nothing changes');
  assert.equal(setAway(false, tree.root), true);
  assert.deepEqual(readdirSync(join(tree.root, units)), ['other.service']);
  assert.equal(existsSync(join(tree.root, 'run/yado/away')), false);
  assert.equal(setAway(false, tree.root), false);
});

test('what a person has switched off stays so, and an OS without systemd only knows that it is away', () => {
  using tree = new FixtureTree({ ...run, [`${units}/suspend.target`]: { link: 'dev/null' } });
  setAway(true, tree.root);
  assert.doesNotMatch(readFileSync(join(tree.root, 'run/yado/away'), 'utf8'), /^suspend\.target$/m);
  setAway(false, tree.root);
  assert.deepEqual(readdirSync(join(tree.root, units)), ['other.service', 'suspend.target']);
  using other = new FixtureTree({ 'run/yado/memory': '' });
  assert.equal(setAway(true, other.root), false);
  assert.equal(setAway(false, other.root), false);
});
