// What a standby is told when it is started from a kernel that came from another computer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kexecWords } from './source-move.ts';

test('a kernel that has moved knows the firmware of another computer: none of it is passed on', () => {
  assert.deepEqual(kexecWords(0xf5ae0, false), [
    'acpi_rsdp=0xf5ae0',
    'noefi',
    'initcall_blacklist=sysfb_init',
  ]);
});

test('at home only the place of the ACPI tables is repeated', () => {
  assert.deepEqual(kexecWords(0xf5ae0, true), ['acpi_rsdp=0xf5ae0']);
  assert.deepEqual(kexecWords(null, true), []);
});
