// What the lab's OS is made of: Debian's packages, and the files a user of the product would write.
// Pure data. Changing anything here changes the key of the cached image; it never mentions QEMU.

import { LabError } from './lab-error.ts';

/** Debian's releases that the lab's OS can be of: code name → number. */
export const releases = { bookworm: 12, trixie: 13 } as const;

/** Which Debian, and whether its kernel is the one it came with or a later one from its backports. */
export interface DebianVersion {
  readonly release: keyof typeof releases;
  readonly kernel: 'stock' | 'backports';
}

/** What the lab's OS is unless somebody asks for another. */
export const stockDebian: DebianVersion = { release: 'bookworm', kernel: 'stock' };

/** By the names a person knows: "12", "12-backports", "13". @throws LabError listing them */
export function debianNamed(name: string): DebianVersion {
  const known = Object.entries(releases).flatMap(([release, number]) =>
    (['stock', 'backports'] as const).map(kernel => ({
      name: kernel === 'stock' ? `${number}` : `${number}-backports`,
      version: { release, kernel } as DebianVersion,
    })),
  );
  const found = known.find(each => each.name === name)?.version;
  if (!found) throw new LabError(`no Debian "${name}"`, `one of: ${known.map(each => each.name).join(', ')}`);
  return found;
}

/** As apt is asked for it. */
export const kernelPackage = ({ release, kernel }: DebianVersion): string =>
  kernel === 'stock' ? 'linux-image-amd64' : `linux-image-amd64/${release}-backports`;

/** Packages of the OS beside Debian's minimal set and its kernel. */
export const basePackages: readonly string[] = [
  'systemd',
  'systemd-sysv',
  'udev',
  'dbus',
  'initramfs-tools',
  'dmsetup',
  'iproute2',
  'procps',
  'kmod',
  'e2fsprogs',
  'nano',
  'busybox-static',
  'zstd',
  'iputils-ping',
  'netcat-openbsd',
];

/** dpkg leaves these out: documentation is most of a small Debian's files. */
export const leftOut: readonly string[] = [
  '/usr/share/man/*',
  '/usr/share/doc/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/lintian/*',
];

/** Units that make noise (timers, clock steps, first-boot work) and are switched off. */
export const maskedUnits: readonly string[] = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'systemd-timesyncd.service',
  'man-db.timer',
  'logrotate.timer',
  'systemd-networkd-wait-online.service',
  'systemd-firstboot.service',
  'systemd-boot-update.service',
  'getty@tty2.service',
  'serial-getty@ttyS0.service',
  'serial-getty@ttyS1.service',
];

/** Identity of the OS: it moves with the OS, whatever computer it is on. */
export const os = {
  id: 'crab',
  mac: '52:54:00:05:05:05',
  address: '10.77.0.100',
  prefixLength: 24,
  machineId: '5d0c5a9b1f0e4c0f8c2b7a6d9e3f1a24',
  /** Of its root file system. */
  fileSystem: '0c5a9b1f-0e4c-4f8c-8b7a-6d9e3f1a24c0',
} as const;

/** A computer as the OS's configuration names it; `address` without prefix length. */
export interface KnownComputer {
  readonly name: string;
  readonly address: string;
}

/** Text of /etc/yadokari/config.toml for an OS that starts on `home` and may go to `others`. */
export function configToml(
  home: KnownComputer & { prefixLength: number },
  others: readonly KnownComputer[],
): string {
  const known = others.map(c => `\n[[computers]]\nname = "${c.name}"\naddress = "${c.address}"\n`).join('');
  return (
    `[computer]\nname = "${home.name}"\naddress = "${home.address}/${home.prefixLength}"\n\n` +
    `[os]\nid = "${os.id}"\n${known}`
  );
}

/** One file of the OS: path in the OS, text, mode. */
export interface OsFile {
  readonly path: string;
  readonly text: string;
  readonly mode?: number;
}

/** The addresses of the OS, in a network of that prefix length. */
export const osNetworkFile = (prefixLength: number): OsFile => ({
  path: '/etc/systemd/network/30-os0.network',
  text:
    `[Match]\nName=os0\n\n[Network]\nDHCP=no\nAddress=${os.address}/${prefixLength}\n` +
    'LinkLocalAddressing=ipv6\nIPv6AcceptRA=no\nKeepConfiguration=yes\nConfigureWithoutCarrier=yes\n',
});

/** The files written over Debian's own. */
export function osFiles(consoleLoop: string, { release }: DebianVersion = stockDebian): OsFile[] {
  const network = (name: string, text: string): OsFile => ({ path: `/etc/systemd/network/${name}`, text });
  return [
    { path: '/etc/hostname', text: `${os.id}\n` },
    { path: '/etc/hosts', text: `127.0.0.1 localhost\n127.0.1.1 ${os.id}\n` },
    { path: '/etc/machine-id', text: `${os.machineId}\n`, mode: 0o444 },
    { path: '/etc/fstab', text: `UUID=${os.fileSystem} / ext4 defaults 0 1\n` },
    {
      path: '/etc/issue',
      text: `Debian GNU/Linux ${releases[release]} \\n \\l\n\nThis OS can move: log in as root, then "yado migrate b".\n\n`,
    },
    // Dumps by SysRq are for looking into a computer that hangs; Debian's default allows only some keys.
    { path: '/etc/sysctl.d/90-lab.conf', text: 'kernel.sysrq = 1\n' },
    {
      path: '/etc/systemd/journald.conf.d/lab.conf',
      text: '[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n',
    },
    network(
      '10-os0.netdev',
      `[NetDev]\nName=os0\nKind=bridge\nMACAddress=${os.mac}\n\n[Bridge]\nSTP=no\nForwardDelaySec=0\n`,
    ),
    network(
      '20-nic.network',
      '[Match]\nType=ether\nKind=!*\nName=en* eth*\n\n[Network]\nBridge=os0\nLinkLocalAddressing=no\n',
    ),
    osNetworkFile(os.prefixLength),
    { path: '/opt/lab/console-loop.sh', text: consoleLoop, mode: 0o755 },
    {
      path: '/etc/systemd/system/lab-console.service',
      text:
        '[Unit]\nDescription=Root command channel of the lab on the second serial port\nAfter=local-fs.target\nStartLimitIntervalSec=0\n\n' +
        // A copy of busybox in memory (/run is noexec): the channel answers even while the disk does not.
        '[Service]\nExecStartPre=/bin/cp /bin/busybox /opt/lab/console-loop.sh /dev/shm/\n' +
        'ExecStart=/dev/shm/busybox sh /dev/shm/console-loop.sh /run/lab /dev/shm/busybox\n' +
        'Restart=always\nRestartSec=1\nKillMode=process\nOOMScoreAdjust=-900\nEnvironment=HOME=/root TERM=dumb\n\n' +
        '[Install]\nWantedBy=multi-user.target\n',
    },
  ];
}
