// What every kernel of a standby is started with, from a medium and by kexec. Pure.

export const standbyKernelWords: readonly string[] = [
  'nr_cpus=1',
  // The jump into an image has no mark of an indirect branch's end before 7.3 (hibernate_asm_64.S): CPUs that look for it stop.
  'ibt=off',
  // With UEFI the kernel keeps the maker's picture, in memory that the OS may have something in.
  'bgrt_disable',
  // Interrupt controllers in the mode of most firmware, which this also ends (try_to_enable_x2apic): a kernel that goes on in
  // their old mode does not switch (lapic_resume in arch/x86/kernel/apic/apic.c), and would never hear an interrupt.
  'intremap=off',
  // What it maps for its own devices means nothing to the OS; off also where firmware asks for it (no_platform_optin).
  'intel_iommu=off',
  'amd_iommu=off',
];
