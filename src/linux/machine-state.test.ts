// Firmware, clocks and what a kernel said at its start, from a directory that looks like /proc and /sys.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixtureTree } from '#linux/fixture-tree.ts';
import {
  isMemoryEncrypted,
  panicsOnWarning,
  readClocks,
  readFirmware,
  readMachineCheckBanks,
  tscKhzIn,
  usesX2apic,
} from '#linux/machine-state.ts';

test('a laptop with UEFI, an IOMMU and caching ranges', () => {
  using tree = new FixtureTree({
    'proc/cmdline': 'root=/dev/mapper/yado-root quiet\n',
    'proc/mtrr': 'reg00: base=0x0 (0MB)\nreg01: base=0x080000000\n',
    'proc/sys/kernel/panic_on_warn': '1\n',
    'sys/firmware/efi/fw_platform_size': '64\n',
    'sys/class/dmi/id/sys_vendor': 'LENOVO\n',
    'sys/class/dmi/id/product_name': '20XW\n',
    'sys/class/dmi/id/board_name': '20XW\n',
    'sys/class/dmi/id/bios_version': 'N32ET75W (1.51 )\n',
    'sys/class/iommu/dmar0/intel-iommu/version': '4:0\n',
    'sys/firmware/acpi/tables/HEST': '',
    'sys/devices/system/machinecheck/machinecheck0/bank0': '1',
    'sys/devices/system/machinecheck/machinecheck0/bank10': '1',
    'sys/devices/system/machinecheck/machinecheck0/check_interval': '1',
  });
  assert.deepEqual(readFirmware(tree.root), {
    kind: 'UEFI',
    isCalled: true,
    model: 'LENOVO 20XW',
    version: 'N32ET75W (1.51 )',
    mtrrs: ['reg00: base=0x0 (0MB)', 'reg01: base=0x080000000'],
    hasIommu: true,
    hasErrorReports: true,
  });
  assert.equal(panicsOnWarning(tree.root), true);
  assert.equal(readMachineCheckBanks(tree.root), 2);
});

test('UEFI that the kernel was told not to call', () => {
  for (const words of ['efi=noruntime', 'efi=debug,noruntime quiet', 'noefi']) {
    using tree = new FixtureTree({ 'proc/cmdline': words, 'sys/firmware/efi/fw_platform_size': '64' });
    assert.equal(readFirmware(tree.root).isCalled, false, words);
  }
});

test('an IOMMU that only remaps interrupts is one too', () => {
  using tree = new FixtureTree({
    'proc/cmdline': 'intel_iommu=off\n',
    'proc/interrupts': '            CPU0\n  1:          9  IR-IO-APIC    1-edge      i8042\n',
  });
  assert.equal(readFirmware(tree.root).hasIommu, true);
  using plain = new FixtureTree({
    'proc/cmdline': '\n',
    'proc/interrupts': '  1:  9  IO-APIC  1-edge  i8042\n',
  });
  assert.equal(readFirmware(plain.root).hasIommu, false);
});

test('a computer that says nothing of itself', () => {
  using tree = new FixtureTree({ 'proc/cmdline': '\n' });
  assert.deepEqual(readFirmware(tree.root), {
    kind: 'BIOS',
    isCalled: false,
    model: '',
    version: '',
    mtrrs: [],
    hasIommu: false,
    hasErrorReports: false,
  });
  assert.equal(readMachineCheckBanks(tree.root), 0);
  assert.deepEqual(readClocks(tree.root), { source: '', sources: [], rtcSeconds: null, pmTimerPort: null });
  assert.equal(panicsOnWarning(tree.root), false);
  assert.equal(isMemoryEncrypted([], tree.root), false);
});

test('clocks', () => {
  const at = 'sys/devices/system/clocksource/clocksource0';
  using tree = new FixtureTree({
    [`${at}/current_clocksource`]: 'hpet\n',
    [`${at}/available_clocksource`]: 'hpet acpi_pm \n',
    'sys/class/rtc/rtc0/since_epoch': '1795619932\n',
    'proc/ioports': '0cf8-0cff : PCI conf1\n  1800-187f : pnp 00:01\n    1808-180b : ACPI PM_TMR\n',
  });
  assert.deepEqual(readClocks(tree.root), {
    source: 'hpet',
    sources: ['hpet', 'acpi_pm'],
    rtcSeconds: 1_795_619_932,
    pmTimerPort: 0x1808,
  });
  using broken = new FixtureTree({ 'sys/class/rtc/rtc0/since_epoch': '-5\n' });
  assert.equal(readClocks(broken.root).rtcSeconds, null);
});

test('the rate of the time stamp counter: the refined one, else the first', () => {
  const first = ['tsc: Fast TSC calibration using PIT', 'tsc: Detected 2596.137 MHz processor'];
  assert.equal(tscKhzIn(first), 2_596_137);
  assert.equal(tscKhzIn([...first, 'tsc: Detected 2600.000 MHz TSC']), 2_600_000);
  const refined = 'tsc: Refined TSC clocksource calibration: 2596.121 MHz';
  assert.equal(tscKhzIn([...first, 'usb 1-1: new device', refined]), 2_596_121);
  assert.equal(tscKhzIn(['a program said tsc: Detected 1.000 MHz processor']), undefined);
  assert.equal(tscKhzIn([]), undefined);
  const wrong = [
    'tsc: PIT calibration deviates from HPET: 592209 2596131',
    'tsc: Detected 592.209 MHz processor',
    'tsc: Marking TSC unstable due to clocksource watchdog',
  ];
  assert.equal(tscKhzIn(wrong), undefined);
});

test('the mode of the interrupt controllers: what the kernel said last', () => {
  const first = 'Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org)';
  const byBios = 'x2apic: enabled by BIOS, switching to x2apic ops';
  assert.equal(usesX2apic([first, byBios]), true);
  assert.equal(usesX2apic([first, 'DMAR-IR: Enabled IRQ remapping in x2apic mode', 'x2apic enabled']), true);
  const not = "x2apic: IRQ remapping doesn't support X2APIC mode";
  assert.equal(usesX2apic([first, byBios, not, 'x2apic disabled']), false);
  assert.equal(usesX2apic([first, not]), false);
  assert.equal(usesX2apic(['usb 1-1: new device']), undefined, 'the log has lost its beginning');
});

test('encrypted memory: the kernel says so, or was told to', () => {
  using plain = new FixtureTree({ 'proc/cmdline': 'mem_encrypt=off\n' });
  using told = new FixtureTree({ 'proc/cmdline': 'mem_encrypt=on\n' });
  assert.equal(isMemoryEncrypted([], plain.root), false);
  assert.equal(isMemoryEncrypted([], told.root), true);
  assert.equal(isMemoryEncrypted(['AMD Memory Encryption Features active: SEV'], plain.root), true);
});
