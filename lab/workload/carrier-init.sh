#!/bin/busybox sh
# PID 1 of the carrier (lab/carrier.ts): finds card and disk, carries, switches off. Settings: see carrierCommandLine.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
setting() { for word in $(cat /proc/cmdline); do case $word in "$1="*) echo "${word#*=}"; return;; esac; done; }
for module in virtio_pci virtio_net virtio_blk; do modprobe -q "$module"; done
until [ -e /sys/class/net/eth0 ] && [ -e /dev/vdb ]; do usleep 20000; done
ip link set eth0 up
ip addr add "$(setting carrier.address)" dev eth0
echo 'carrier: ready' >/dev/kmsg
result=$(carry $(setting carrier.do | tr , ' ') 2>&1) && echo "carrier: carried $result" >/dev/kmsg || echo "carrier: failed: $result" >/dev/kmsg
poweroff -f
