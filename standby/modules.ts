// Which kernel modules a standby carries: cards that can bring the OS in, set-aside memory, and nothing else.
// The surface stays small on purpose: what is not bound to a driver cannot disturb the restore.

import { deviceClasses, servingClasses } from '#core/device-class.ts';

/** Loaded only when a device of that class is lent to an OS, or was left here by one: by class. */
export const lendableModules: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  servingClasses.map(name => [name, deviceClasses[name].modules ?? []]),
);

/** Modules by purpose, loaded at the start; dependencies are added from modules.dep. */
export const standbyModules: Readonly<Record<string, readonly string[]>> = {
  'network cards': [
    'virtio_pci',
    'virtio_net',
    'e1000',
    'e1000e',
    '8139cp',
    '8139too',
    'igb',
    'igc',
    'realtek', // r8169 does not take its card without it, and the kernel of a standby has no modprobe to call
    'r8169',
    'tg3',
    'vmxnet3',
    // Not in any emulator; what else is common in PCs and servers and wants no firmware.
    ...[
      'alx',
      'atl1',
      'atl1c',
      'atl1e',
      'atlantic',
      'b44',
      'be2net',
      'forcedeth',
      'i40e',
      'igbvf',
      'ixgbe',
      'ixgbevf',
    ],
    ...['jme', 'mlx4_en', 'mlx5_core', 'skge', 'sky2'],
  ],
  'set-aside memory': ['nd_e820', 'nd_btt', 'nd_pmem', 'crc32c_generic', 'erofs', 'loop'],
  'what the CPU can': ['cpuid'],
  'devices served to others': ['nbd', 'parport_pc', 'lp'],
  // Which of these fit the CPU and which are built in differs: the ciphers of src/core/ciphers.ts and what makes them fast.
  'the wire': [
    'tls',
    'gcm',
    'ctr',
    'ghash_generic',
    'ghash_clmulni_intel',
    'aesni_intel',
    'chacha20poly1305',
    'chacha_generic',
    'chacha_x86_64',
    'poly1305_generic',
    'poly1305_x86_64',
  ],
};

/** All that a standby may ask its kernel for. */
export const moduleNames: readonly string[] = [
  ...Object.values(standbyModules).flat(),
  ...Object.values(lendableModules).flat(),
  'crc32c_generic',
  'libcrc32c',
];
