// Why /dev/snapshot may not be used, from a directory that looks like /dev, /proc and /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree, type Tree } from '#linux/fixture-tree.ts';
import { probeSnapshot, readLockdown } from '#linux/power.ts';

const plain: Tree = {
  'dev/snapshot': '',
  'dev/mem': '',
  'proc/cmdline': 'root=/dev/mapper/yado-root quiet\n',
  'sys/power/disk': '[platform] shutdown reboot suspend test_resume\n',
  'sys/power/pm_test': '[none] core processors platform devices freezer\n',
};
const lockdownFile = 'sys/kernel/security/lockdown';

function refusalOf(change: Tree) {
  using tree = new FixtureTree({ ...plain, ...change });
  return probeSnapshot(tree.root);
}

test('a kernel that offers it', () => {
  assert.equal(refusalOf({}), undefined);
  assert.equal(refusalOf({ [lockdownFile]: '[none] integrity confidentiality\n' }), undefined);
});

test('each cause by its name', () => {
  using without = new FixtureTree({ 'proc/cmdline': '' });
  assert.equal(probeSnapshot(without.root)?.cause, 'noHibernation');
  const off = { 'sys/power/disk': '[disabled]\n' };
  const cases: [Tree, string, RegExp][] = [
    [{ ...off, [lockdownFile]: 'none [integrity] confidentiality' }, 'lockdown', /locked down \(integrity\)/],
    [{ ...off, [`proc/1/root/${lockdownFile}`]: 'none integrity [confidentiality]' }, 'lockdown', /confid/],
    [{ ...off, 'proc/cmdline': 'quiet nohibernate' }, 'parameter', /started with nohibernate/],
    [{ ...off, 'proc/cmdline': 'hibernate=no' }, 'parameter', /started with hibernate=no/],
    [
      {
        ...off,
        'proc/812/comm': 'keeper\n',
        'proc/812/maps': '7f00-7f01 rw-s 00000000 00:01 9 /secretmem (deleted)\n',
        'proc/813/maps': '7f00-7f01 r--p 00000000 fe:00 9 /home/secretmem/x\n',
      },
      'secretMemory',
      /keeper \(pid 812\)$/,
    ],
    [off, 'unknown', /switched hibernation off/],
    [{ 'sys/power/pm_test': 'none core [devices]' }, 'pmTest', /pm_test is devices/],
  ];
  for (const [change, cause, reason] of cases) {
    const refusal = refusalOf(change);
    assert.equal(refusal?.cause, cause);
    assert.match(refusal?.reason ?? '', reason);
  }
});

test('where no file tells of lockdown, what it forbids is tried', () => {
  using tree = new FixtureTree(plain);
  const forbidden =
    (...paths: string[]) =>
    (path: string) =>
      paths.some(each => path.endsWith(each)) ? 'EPERM' : undefined;
  assert.equal(readLockdown(tree.root, forbidden()), 'none');
  assert.equal(readLockdown(tree.root, forbidden('dev/mem')), 'integrity');
  assert.equal(readLockdown(tree.root, forbidden('dev/mem', 'proc/kcore')), 'confidentiality');
  assert.equal(
    readLockdown(tree.root, () => 'ENOENT'),
    'none',
  );
});
