// Unit tests of the lab's pure parts: apt sources, dependencies, command lines, keys, gaps and continuity.
// No emulated computer is started here.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { debianLines, debianStanzas, readAptSources } from './apt-sources.ts';
import { osCommandLine, standbyCommandLine } from './computer-spec.ts';
import { keysOfCharacter, keysOfChord } from './keys.ts';
import { dependencyNames } from './os-image.ts';
import { configToml, debianNamed, kernelPackage, stockDebian } from './os-recipe.ts';
import { Gaps } from './probe.ts';
import { hasHardwareAcceleration, qemuArguments } from './qemu.ts';
import { scenarioNamed } from './scenarios.ts';
import { Continuity } from './tcp-client.ts';

test('only the release’s own suites are taken from apt’s sources', () => {
  const text =
    'Types: deb\n# comment\nURIs: http://mirror.example\nSuites: bookworm bookworm-updates\nComponents: main\n\n' +
    'Types: deb\nURIs: http://vendor.example\nSuites: nodistro\n\nTypes: deb\nSuites: bookworm-security\nEnabled: no\n';
  assert.deepEqual(debianStanzas(text, 'bookworm'), [
    'Types: deb\nURIs: http://mirror.example\nSuites: bookworm bookworm-updates\nComponents: main',
  ]);
  const lines =
    'deb [signed-by=/k] http://mirror.example bookworm main\ndeb http://vendor.example x-bookworm main\n# deb http://m bookworm main';
  assert.deepEqual(debianLines(lines, 'bookworm'), [
    'deb [signed-by=/k] http://mirror.example bookworm main',
  ]);
});

test('sources of another release, and of backports, lie where this machine’s own do', t => {
  const folder = mkdtempSync(join(tmpdir(), 'yado-apt-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'sources.list.d'));
  writeFileSync(
    join(folder, 'sources.list.d/debian.sources'),
    'Types: deb\nURIs: http://mirror.example/bookworm\nSuites: bookworm bookworm-updates\nComponents: main\n\n' +
      'Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\nComponents: main\n',
  );
  writeFileSync(join(folder, 'sources.list'), 'deb [signed-by=/k] http://mirror.example bookworm main\n');
  const read = (release: string, withBackports: boolean) =>
    readAptSources({ release, withBackports }, folder, 'bookworm');
  const trixie = read('trixie', false);
  assert.deepEqual(trixie.deb822.match(/^(URIs|Suites): .*$/gm), [
    'URIs: http://mirror.example/bookworm',
    'Suites: trixie trixie-updates',
    'URIs: http://mirror.example/security',
    'Suites: trixie-security',
  ]);
  assert.equal(trixie.lines, 'deb [signed-by=/k] http://mirror.example trixie main\n');
  const { deb822, lines } = read('bookworm', true);
  assert.deepEqual(deb822.match(/^Suites: .*$/gm), [
    'Suites: bookworm bookworm-updates',
    'Suites: bookworm-security',
    'Suites: bookworm-backports',
  ]);
  assert.match(
    lines,
    /^deb \S+ http:\/\/mirror\.example bookworm main\ndeb \S+ \S+ bookworm-backports main\n$/,
  );
  assert.throws(
    () => readAptSources({ release: 'trixie' }, folder, 'sid'),
    /no apt source for Debian trixie/,
  );
});

test('a Debian by the name a person knows', () => {
  assert.deepEqual(debianNamed('12'), stockDebian);
  assert.equal(kernelPackage(debianNamed('12-backports')), 'linux-image-amd64/bookworm-backports');
  assert.deepEqual(debianNamed('13'), { release: 'trixie', kernel: 'stock' });
  assert.throws(() => debianNamed('11'), { hint: 'one of: 12, 12-backports, 13, 13-backports' });
});

test('names of a package’s dependencies', () => {
  assert.deepEqual(dependencyNames('systemd (>= 250), dmsetup | other, libc6:any\n'), [
    'systemd',
    'dmsetup',
    'libc6',
  ]);
  assert.deepEqual(dependencyNames(''), []);
});

test('scenario "paper": equal cards are equally placed, B has no disk and no printer', () => {
  const [a, b] = scenarioNamed('paper').computers;
  const files = {
    kernel: 'k',
    initrd: 'i',
    disk: 'd,1',
    serialLog: 'l',
    consoleSocket: 't',
    monitorSocket: 'q',
    printerFile: 'p',
  };
  const argumentsOf = (spec: typeof a): string => qemuArguments(spec!, files, 'x', 'tap-x', false).join(' ');
  assert.match(
    argumentsOf(a),
    /virtio-net-pci,netdev=net,mac=52:54:00:00:01:01,addr=5,romfile= -device VGA,addr=2/,
  );
  assert.match(argumentsOf(a), /file=d,,1,format=raw/);
  assert.match(argumentsOf(b), /cirrus-vga,addr=2$/);
  assert.match(argumentsOf(a), / -accel tcg,thread=single -cpu /);
  assert.match(
    argumentsOf(scenarioNamed('bigmem').computers[0]),
    / -accel tcg,thread=single,tb-size=192 -cpu /,
  );
  assert.throws(() => scenarioNamed('toString'), /no scenario/);
});

test('command lines', () => {
  const b = scenarioNamed('paper').computers[1]!;
  assert.match(osCommandLine({}, 'UUID=0c5a'), /root=UUID=0c5a rw$/);
  assert.match(osCommandLine({ kernelParameters: ['mem=1G'] }, 'UUID=0c5a', ['quiet']), / rw mem=1G quiet$/);
  assert.match(standbyCommandLine(b), /yado.name=b yado.address=10.77.0.2\/24 yado.nic=52:54:00:00:01:02/);
  assert.match(
    configToml({ name: 'a', address: '10.77.0.1', prefixLength: 24 }, [{ name: 'b', address: '10.77.0.2' }]),
    /^\[computer\]\nname = "a"\naddress = "10.77.0.1\/24"\n\n\[os\]\nid = "crab"\n\n\[\[computers\]\]\nname = "b"/,
  );
});

test('hardware acceleration only where the processor says so', () => {
  assert.equal(hasHardwareAcceleration('flags\t\t: fpu vme svm_lock\n'), false);
  assert.equal(hasHardwareAcceleration('flags\t\t: fpu vmx sse\n'), true);
});

test('keys', () => {
  assert.deepEqual(keysOfChord('Ctrl-Alt-F1'), ['ctrl', 'alt', 'f1']);
  assert.deepEqual(keysOfChord('enter'), ['ret']);
  assert.deepEqual(['A', '~', '\n'].map(keysOfCharacter), [
    ['shift', 'a'],
    ['shift', 'grave_accent'],
    ['ret'],
  ]);
  assert.throws(() => keysOfCharacter('ヤ'), /no key types/);
});

test('the longest gap includes one that has not ended', () => {
  const gaps = new Gaps(0);
  for (const at of [10, 20, 500, 510]) gaps.answer(at);
  assert.deepEqual([gaps.report(600).longestGapMs, gaps.report(2000).longestGapMs], [480, 1400]);
});

test('a lost or repeated line breaks continuity', () => {
  const seen = new Continuity(0);
  seen.next();
  for (const line of ['T 1', 'E C 1', 'T 2']) seen.take(line, 1);
  assert.equal(seen.report().whole, true);
  seen.take('T 4', 2);
  seen.take('E C 1', 3);
  assert.deepEqual([seen.report().whole, seen.faults.length], [false, 2]);
});
