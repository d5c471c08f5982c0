// Which kernel modules a standby carries: cards that can bring the OS in, set-aside memory, and nothing else.
// The surface stays small on purpose: what is not bound to a driver cannot disturb the restore.

/** Modules by purpose; dependencies are added from modules.dep. */
export const standbyModules: Readonly<Record<string, readonly string[]>> = {
  'network cards': [
    'virtio_pci',
    'virtio_net',
    'e1000',
    'e1000e',
    '8139cp',
    '8139too',
    'igb',
    'r8169',
    'tg3',
    'vmxnet3',
  ],
  'set-aside memory': ['nd_e820', 'nd_btt', 'nd_pmem', 'crc32c_generic', 'erofs', 'loop'],
  'devices served to others': ['virtio_blk', 'nbd', 'parport_pc', 'lp'],
  'keyboard and pointer lent to others': ['evdev', 'psmouse'],
  'the wire': ['tls'],
};
