// The list of modules that a standby loads, in its order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standbyModules } from './modules.ts';

// drivers/net/ethernet/realtek/r8169_main.c: "maybe realtek.ko needs to be added to initramfs?"
test('Realtek cards, which want the driver of their PHY first, find it loaded', () => {
  const names = Object.values(standbyModules).flat();
  assert.ok(names.includes('realtek') && names.indexOf('realtek') < names.indexOf('r8169'));
});
