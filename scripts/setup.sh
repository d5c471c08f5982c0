#!/bin/sh
# Installs what is missing: Debian packages (as root or through sudo) and the npm packages of the lock file.
# Does nothing, quickly, when all is there. --say tells what it will install. Never changes anything else.
set -eu
cd "$(dirname "$0")/.."
packages="qemu-system-x86 mmdebstrap erofs-utils iproute2 e2fsprogs busybox-static cpio zstd kmod dmsetup nbdkit
gcc libc6-dev liblz4-dev make netcat-openbsd tcpdump util-linux xz-utils cups-ipp-utils dbus-daemon fdisk lvm2 cryptsetup-bin groff-base lintian
grub-common grub-pc-bin grub-efi-amd64-bin mtools xorriso ovmf ipxe-qemu"
say() { [ "${1:-}" = "" ] || [ "$loud" = no ] || echo "setup: $1"; }
loud=no
[ "${1:-}" != --say ] || loud=yes

missing=
for package in $packages; do
  [ -e "/var/lib/dpkg/info/$package.list" ] || [ -e "/var/lib/dpkg/info/$package:amd64.list" ] || missing="$missing $package"
done
if [ -n "$missing" ]; then
  loud=yes
  say "Debian packages to install:$missing"
  root=
  [ "$(id -u)" = 0 ] || root=sudo
  if [ -n "$root" ] && ! command -v sudo >/dev/null; then
    echo "setup: needs root to install packages: run it as root, or install sudo" >&2
    exit 1
  fi
  $root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# npm writes its own lock file last: older than ours means stale.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  loud=yes
  say "npm packages of package-lock.json"
  # Not `npm ci`: it insists on the optional packages of every platform, which not every mirror carries.
  npm install --no-save --no-audit --no-fund --loglevel=error
  touch node_modules/.package-lock.json
fi
say "all is there"
