import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deviceThatRefused, readKernelLog, taskThatRefused } from './kernel-log.ts';

const refused = [
  'Freezing user space processes',
  'Freezing user space processes failed after 5.003 seconds (1 tasks refusing to freeze, wq_busy=0):',
  'task:old job         state:D stack:0     pid:77    ppid:1      flags:0x00000004',
  'Freezing user space processes failed after 5.008 seconds (1 tasks refusing to freeze, wq_busy=0):',
  'task:cat             state:D stack:0     pid:812   ppid:1      flags:0x00000004',
  'Call Trace:',
];

test('the task that would not freeze is named, that of the last time', () => {
  assert.equal(taskThatRefused(refused), 'cat (pid 812)');
  assert.equal(taskThatRefused(refused.slice(0, 3)), 'old job (pid 77)');
  assert.equal(
    taskThatRefused(['Freezing user space processes completed (elapsed 0.004 seconds)']),
    undefined,
  );
});

test('the device that would not be stopped is named', () => {
  const lines = [
    'e1000 0000:00:03.0: PM: pci_pm_freeze(): e1000_suspend+0x0/0x30 returns -5',
    'e1000 0000:00:03.0: PM: failed to freeze async: error -5',
  ];
  assert.equal(deviceThatRefused(lines), 'e1000 0000:00:03.0');
  assert.equal(deviceThatRefused([]), undefined);
});

test('a log that cannot be read is empty', t => {
  const folder = mkdtempSync(join(tmpdir(), 'kmsg-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.deepEqual(readKernelLog(join(folder, 'none')), []);
  writeFileSync(join(folder, 'kmsg'), '6,339,5140900,-;one line\n SUBSYSTEM=pci\n');
  assert.deepEqual(readKernelLog(join(folder, 'kmsg')), ['one line']);
});
