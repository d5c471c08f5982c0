// What the kernel of a standby is started with. Pure.

/** From a medium and by kexec. */
export const standbyKernelWords: readonly string[] = [
  'nr_cpus=1',
  // The jump into an image has no mark of an indirect branch's end before 7.3 (hibernate_asm_64.S): CPUs that look for it stop.
  'ibt=off',
  // With UEFI the kernel keeps the maker's picture, in memory that the OS may have something in.
  'bgrt_disable',
];

/**
 * Without any IOMMU. By kexec only from a kernel that does without too: interrupts that it has had remapped would stay so
 * (native_machine_shutdown), by a table that is no more.
 */
export const withoutIommuWords: readonly string[] = [
  // This also ends the mode of the interrupt controllers that most firmware has set (try_to_enable_x2apic): a kernel that goes on
  // in their old mode does not (lapic_resume in arch/x86/kernel/apic/apic.c), and would never hear an interrupt.
  'intremap=off',
  // What it maps for its own devices means nothing to the OS; off also where firmware asks for it (no_platform_optin).
  'intel_iommu=off',
  'amd_iommu=off',
];
