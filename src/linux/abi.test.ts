// Compiles a C program that prints every constant, size and offset of abi.ts and abi-input.ts from the installed headers.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { INPUT, INPUT_OFFSET, INPUT_SIZE } from '#linux/abi-input.ts';

// sys/mount.h and linux/mount.h (pulled in by linux/fs.h) exclude each other: keep only the first.
const PROLOGUE = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stddef.h>
#include <poll.h>
#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <sys/time.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/mount.h>
#define _LINUX_MOUNT_H
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/types.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/genetlink.h>
#include <linux/nbd.h>
#include <linux/nbd-netlink.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/suspend_ioctls.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/kexec.h>
#include <linux/tls.h>
#include <linux/utsname.h>
#include <linux/uinput.h>
#ifndef SOL_TLS
#define SOL_TLS 282
#endif
struct swsusp_info { /* kernel/power/power.h */
  struct new_utsname uts; unsigned int version_code; unsigned long num_physpages; int cpus;
  unsigned long image_pages; unsigned long pages; unsigned long size;
};
int main(void) {
`;

test('every number of the table is what the C headers say', () => {
  const expected = new Map<string, number>();
  for (const [name, value] of Object.entries({ ...C, ...INPUT })) expected.set(name, value);
  for (const [type, value] of Object.entries({ ...SIZE, ...INPUT_SIZE }))
    expected.set(`sizeof(${type})`, value);
  for (const [type, members] of Object.entries({ ...OFFSET, ...INPUT_OFFSET }))
    for (const [member, value] of Object.entries(members))
      expected.set(`offsetof(${type}, ${member})`, value);

  const lines = [...expected.keys()].map(
    key => `printf("%s=%llu\\n", "${key}", (unsigned long long)(unsigned int)(${key}));`,
  );
  const directory = mkdtempSync(join(tmpdir(), 'yado-abi-'));
  try {
    writeFileSync(join(directory, 'abi.c'), `${PROLOGUE}${lines.join('\n')}\nreturn 0; }\n`);
    execFileSync('gcc', ['-o', join(directory, 'abi'), join(directory, 'abi.c')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const actual = new Map(
      execFileSync(join(directory, 'abi'), { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map(
          line =>
            [line.slice(0, line.lastIndexOf('=')), Number(line.slice(line.lastIndexOf('=') + 1))] as const,
        ),
    );
    assert.deepEqual(Object.fromEntries(actual), Object.fromEntries(expected));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
