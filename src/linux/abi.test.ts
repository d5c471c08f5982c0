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
#include <elf.h>
#include <poll.h>
#include <fcntl.h>
#include <sched.h>
#include <time.h>
#include <sys/time.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
#include <linux/fb.h>
#include <linux/kd.h>
#include <linux/suspend_ioctls.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/lp.h>
#include <linux/kexec.h>
#include <linux/tls.h>
#include <linux/prctl.h>
#include <linux/utsname.h>
#include <linux/uinput.h>
#ifndef SOL_TLS
#define SOL_TLS 282
#endif
struct swsusp_info { /* kernel/power/power.h */
  struct new_utsname uts; unsigned int version_code; unsigned long num_physpages; int cpus;
  unsigned long image_pages; unsigned long pages; unsigned long size;
};
/* Not every build machine has the headers of DRM. */
#if __has_include(<drm/drm_mode.h>)
#include <drm/drm.h>
#include <drm/drm_mode.h>
#else
#define DRM_IOCTL_GET_CAP _IOWR('d', 0x0c, struct drm_get_cap)
#define DRM_IOCTL_SET_MASTER _IO('d', 0x1e)
#define DRM_IOCTL_DROP_MASTER _IO('d', 0x1f)
#define DRM_IOCTL_MODE_GETRESOURCES _IOWR('d', 0xA0, struct drm_mode_card_res)
#define DRM_IOCTL_MODE_SETCRTC _IOWR('d', 0xA2, struct drm_mode_crtc)
#define DRM_IOCTL_MODE_GETENCODER _IOWR('d', 0xA6, struct drm_mode_get_encoder)
#define DRM_IOCTL_MODE_GETCONNECTOR _IOWR('d', 0xA7, struct drm_mode_get_connector)
#define DRM_IOCTL_MODE_ADDFB _IOWR('d', 0xAE, struct drm_mode_fb_cmd)
#define DRM_IOCTL_MODE_RMFB _IOWR('d', 0xAF, unsigned int)
#define DRM_IOCTL_MODE_DIRTYFB _IOWR('d', 0xB1, struct drm_mode_fb_dirty_cmd)
#define DRM_IOCTL_MODE_CREATE_DUMB _IOWR('d', 0xB2, struct drm_mode_create_dumb)
#define DRM_IOCTL_MODE_MAP_DUMB _IOWR('d', 0xB3, struct drm_mode_map_dumb)
#define DRM_IOCTL_MODE_DESTROY_DUMB _IOWR('d', 0xB4, struct drm_mode_destroy_dumb)
#define DRM_CAP_DUMB_BUFFER 0x1
#define DRM_MODE_TYPE_PREFERRED (1 << 3)
struct drm_get_cap { __u64 capability; __u64 value; };
struct drm_clip_rect { unsigned short x1, y1, x2, y2; };
struct drm_mode_modeinfo {
  __u32 clock; __u16 hdisplay, hsync_start, hsync_end, htotal, hskew;
  __u16 vdisplay, vsync_start, vsync_end, vtotal, vscan;
  __u32 vrefresh, flags, type; char name[32];
};
struct drm_mode_card_res {
  __u64 fb_id_ptr, crtc_id_ptr, connector_id_ptr, encoder_id_ptr;
  __u32 count_fbs, count_crtcs, count_connectors, count_encoders;
  __u32 min_width, max_width, min_height, max_height;
};
struct drm_mode_crtc {
  __u64 set_connectors_ptr; __u32 count_connectors, crtc_id, fb_id, x, y, gamma_size, mode_valid;
  struct drm_mode_modeinfo mode;
};
struct drm_mode_get_encoder { __u32 encoder_id, encoder_type, crtc_id, possible_crtcs, possible_clones; };
struct drm_mode_get_connector {
  __u64 encoders_ptr, modes_ptr, props_ptr, prop_values_ptr;
  __u32 count_modes, count_props, count_encoders, encoder_id, connector_id, connector_type, connector_type_id;
  __u32 connection, mm_width, mm_height, subpixel, pad;
};
struct drm_mode_fb_cmd { __u32 fb_id, width, height, pitch, bpp, depth, handle; };
struct drm_mode_fb_dirty_cmd { __u32 fb_id, flags, color, num_clips; __u64 clips_ptr; };
struct drm_mode_create_dumb { __u32 height, width, bpp, flags, handle, pitch; __u64 size; };
struct drm_mode_map_dumb { __u32 handle, pad; __u64 offset; };
struct drm_mode_destroy_dumb { __u32 handle; };
#endif
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
