// Page frames that are given up, on a tree as the kernel shows it.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FixtureTree } from '#linux/fixture-tree.ts';
import { canGiveUpFrames, giveUpFrame, isGivenUp } from '#linux/page-frames.ts';

const offline = 'sys/devices/system/memory/soft_offline_page';

test('a frame is given up by its address, and then the kernel says so', async () => {
  using tree = new FixtureTree({ [offline]: '', 'proc/kpageflags': '' });
  const flags = Buffer.alloc(0x20 * 8);
  flags.writeBigUInt64LE(1n << 10n, 0x10 * 8);
  flags.writeBigUInt64LE(1n << 19n, 0x11 * 8);
  writeFileSync(join(tree.root, 'proc/kpageflags'), flags);
  assert.equal(canGiveUpFrames(tree.root), true);
  assert.equal(await isGivenUp(0x10, tree.root), false);
  assert.equal(await isGivenUp(0x11, tree.root), true);
  await giveUpFrame(0x5ffd7, tree.root);
  assert.equal(readFileSync(join(tree.root, offline), 'utf8'), '0x5ffd7000');
});

test('a kernel that gives up none says so, or why', async () => {
  using none = new FixtureTree({});
  assert.equal(canGiveUpFrames(none.root), false);
  await assert.rejects(giveUpFrame(1, none.root), { code: 'ENOENT' });
});
