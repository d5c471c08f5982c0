// Kernel mode setting on /dev/dri/cardN: outputs, modes, dumb buffers, by the ioctls every driver has (no atomic).
// The caller is the card's only master while this is open. Nothing here chooses: see src/devices/display/driver.ts.
import { C, OFFSET, SIZE } from '#linux/abi.ts';
import { ioctl, open } from '#linux/ffi.ts';
import { MappedMemory } from '#linux/mapped-memory.ts';
import { OwnedFd } from '#linux/owned-fd.ts';

/** A part of the picture, pixels. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A mode of a connector. `raw` is the kernel's struct, given back to it as it came. */
export interface DrmMode {
  readonly width: number;
  readonly height: number;
  readonly refreshHz: number;
  readonly preferred: boolean;
  readonly raw: Buffer;
}

export interface Connector {
  readonly id: number;
  readonly connected: boolean;
  readonly modes: readonly DrmMode[];
  readonly encoderIds: readonly number[];
}

/** A buffer the card can show. `depth` is the number of colour bits. */
export interface DumbBuffer {
  readonly framebufferId: number;
  readonly handle: number;
  readonly width: number;
  readonly height: number;
  readonly lineBytes: number;
  readonly memory: MappedMemory;
}

const CONNECTED = 1; // DRM_MODE_CONNECTED is no number of the uapi headers
const MAX_CLIPS = 32;
const scratchBytes = 64 * 1024;

export class DrmDevice implements Disposable {
  readonly #fd: OwnedFd;
  /** Memory the kernel is pointed to: lists of ids and modes, clip rectangles. */
  readonly #scratch = new MappedMemory(-1, scratchBytes);
  readonly #dirty = Buffer.alloc(SIZE['struct drm_mode_fb_dirty_cmd']);

  /** @throws SystemError EBUSY or EACCES when another program is the card's master */
  constructor(path: string) {
    this.#fd = new OwnedFd(open(path, C.O_RDWR));
    try {
      ioctl(this.#fd.fd, C.DRM_IOCTL_SET_MASTER, 0, `take ${path}`);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws SystemError ENODEV when the card has been taken away */
  ping(): void {
    const cap = Buffer.alloc(SIZE['struct drm_get_cap']);
    cap.writeBigUInt64LE(BigInt(C.DRM_CAP_DUMB_BUFFER), OFFSET['struct drm_get_cap'].capability);
    ioctl(this.#fd.fd, C.DRM_IOCTL_GET_CAP, cap, 'ask the display card');
  }

  resources(): { readonly crtcIds: number[]; readonly connectorIds: number[] } {
    const at = OFFSET['struct drm_mode_card_res'];
    const request = Buffer.alloc(SIZE['struct drm_mode_card_res']);
    const half = scratchBytes / 2;
    request.writeBigUInt64LE(this.#scratch.address, at.crtc_id_ptr);
    request.writeBigUInt64LE(this.#scratch.address + BigInt(half), at.connector_id_ptr);
    request.writeUInt32LE(half / 4, at.count_crtcs);
    request.writeUInt32LE(half / 4, at.count_connectors);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_GETRESOURCES, request, 'resources of the display card');
    return {
      crtcIds: this.#ids(0, request.readUInt32LE(at.count_crtcs)),
      connectorIds: this.#ids(half, request.readUInt32LE(at.count_connectors)),
    };
  }

  /** Asks the card, which may look at the plug for it (tens of milliseconds on real hardware). */
  connector(id: number): Connector {
    const at = OFFSET['struct drm_mode_get_connector'];
    const size = SIZE['struct drm_mode_modeinfo'];
    const encodersAt = 56 * 1024;
    const ask = (modes: number): Buffer => {
      const request = Buffer.alloc(SIZE['struct drm_mode_get_connector']);
      request.writeBigUInt64LE(this.#scratch.address + BigInt(encodersAt), at.encoders_ptr);
      request.writeBigUInt64LE(this.#scratch.address, at.modes_ptr);
      request.writeUInt32LE(modes, at.count_modes);
      request.writeUInt32LE(16, at.count_encoders);
      request.writeUInt32LE(id, at.connector_id);
      ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_GETCONNECTOR, request, `connector ${id}`);
      return request;
    };
    ask(0); // no modes asked for: the driver looks at the plug
    const most = Math.floor(encodersAt / size);
    const answer = ask(most);
    const count = Math.min(answer.readUInt32LE(at.count_modes), most);
    return {
      id,
      connected: answer.readUInt32LE(at.connection) === CONNECTED,
      encoderIds: this.#ids(encodersAt, Math.min(answer.readUInt32LE(at.count_encoders), 16)),
      modes: Array.from({ length: count }, (_, index) =>
        decodeMode(Buffer.from(this.#scratch.bytes.subarray(index * size, (index + 1) * size))),
      ),
    };
  }

  /** Bit n is set when the n-th of the card's CRTCs can feed this encoder. */
  possibleCrtcs(encoderId: number): number {
    const request = Buffer.alloc(SIZE['struct drm_mode_get_encoder']);
    request.writeUInt32LE(encoderId, OFFSET['struct drm_mode_get_encoder'].encoder_id);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_GETENCODER, request, `encoder ${encoderId}`);
    return request.readUInt32LE(OFFSET['struct drm_mode_get_encoder'].possible_crtcs);
  }

  /** A black buffer of at least this size, mapped. @throws SystemError when the card has no memory or format for it */
  createBuffer(width: number, height: number, bitsPerPixel: number, depth: number): DumbBuffer {
    const at = OFFSET['struct drm_mode_create_dumb'];
    const request = Buffer.alloc(SIZE['struct drm_mode_create_dumb']);
    request.writeUInt32LE(width, at.width);
    request.writeUInt32LE(height, at.height);
    request.writeUInt32LE(bitsPerPixel, at.bpp);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_CREATE_DUMB, request, 'buffer for the screen');
    const handle = request.readUInt32LE(at.handle);
    const lineBytes = request.readUInt32LE(at.pitch);
    const size = Number(request.readBigUInt64LE(at.size));
    let framebufferId: number | undefined;
    try {
      framebufferId = this.#addFramebuffer({ width, height, lineBytes, bitsPerPixel, depth, handle });
      const memory = this.#map(handle, size);
      memory.bytes.fill(0);
      return { framebufferId, handle, width, height, lineBytes, memory };
    } catch (error) {
      if (framebufferId !== undefined) this.#removeFramebuffer(framebufferId); // it would keep the card's memory
      this.#destroyDumb(handle);
      throw error;
    }
  }

  /** Unmaps and frees it; the screen goes dark when it was shown. */
  destroyBuffer({ framebufferId, handle, memory }: DumbBuffer): void {
    memory[Symbol.dispose]();
    this.#removeFramebuffer(framebufferId);
    this.#destroyDumb(handle);
  }

  /** Shows the buffer on the connector in this mode. */
  show(crtcId: number, connectorId: number, mode: DrmMode, framebufferId: number): void {
    const at = OFFSET['struct drm_mode_crtc'];
    const request = Buffer.alloc(SIZE['struct drm_mode_crtc']);
    this.#scratch.bytes.writeUInt32LE(connectorId, 0);
    request.writeBigUInt64LE(this.#scratch.address, at.set_connectors_ptr);
    request.writeUInt32LE(1, at.count_connectors);
    request.writeUInt32LE(crtcId, at.crtc_id);
    request.writeUInt32LE(framebufferId, at.fb_id);
    request.writeUInt32LE(1, at.mode_valid);
    mode.raw.copy(request, at.mode);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_SETCRTC, request, `set ${mode.width}x${mode.height}`);
  }

  /** Tells the card which parts were drawn. @throws SystemError ENOSYS from cards that need not be told */
  dirty(framebufferId: number, rects: readonly Rect[]): void {
    const at = OFFSET['struct drm_mode_fb_dirty_cmd'];
    const clip = OFFSET['struct drm_clip_rect'];
    const shown = rects.length > MAX_CLIPS ? [boundsOf(rects)] : rects;
    shown.forEach((rect, index) => {
      const from = index * SIZE['struct drm_clip_rect'];
      this.#scratch.bytes.writeUInt16LE(rect.x, from + clip.x1);
      this.#scratch.bytes.writeUInt16LE(rect.y, from + clip.y1);
      this.#scratch.bytes.writeUInt16LE(rect.x + rect.width, from + clip.x2);
      this.#scratch.bytes.writeUInt16LE(rect.y + rect.height, from + clip.y2);
    });
    this.#dirty.writeUInt32LE(framebufferId, at.fb_id);
    this.#dirty.writeUInt32LE(shown.length, at.num_clips);
    this.#dirty.writeBigUInt64LE(this.#scratch.address, at.clips_ptr);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_DIRTYFB, this.#dirty, 'draw on the screen');
  }

  /** Closes the card; buffers must be destroyed before. */
  [Symbol.dispose](): void {
    this.#scratch[Symbol.dispose]();
    this.#fd[Symbol.dispose]();
  }

  #ids(from: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => this.#scratch.bytes.readUInt32LE(from + index * 4));
  }

  #addFramebuffer(of: {
    readonly width: number;
    readonly height: number;
    readonly lineBytes: number;
    readonly bitsPerPixel: number;
    readonly depth: number;
    readonly handle: number;
  }): number {
    const at = OFFSET['struct drm_mode_fb_cmd'];
    const request = Buffer.alloc(SIZE['struct drm_mode_fb_cmd']);
    request.writeUInt32LE(of.width, at.width);
    request.writeUInt32LE(of.height, at.height);
    request.writeUInt32LE(of.lineBytes, at.pitch);
    request.writeUInt32LE(of.bitsPerPixel, at.bpp);
    request.writeUInt32LE(of.depth, at.depth);
    request.writeUInt32LE(of.handle, at.handle);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_ADDFB, request, `a screen of ${of.depth} colour bits`);
    return request.readUInt32LE(at.fb_id);
  }

  #removeFramebuffer(framebufferId: number): void {
    const id = Buffer.alloc(4);
    id.writeUInt32LE(framebufferId);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_RMFB, id, 'let go of the screen');
  }

  #map(handle: number, size: number): MappedMemory {
    const at = OFFSET['struct drm_mode_map_dumb'];
    const request = Buffer.alloc(SIZE['struct drm_mode_map_dumb']);
    request.writeUInt32LE(handle, at.handle);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_MAP_DUMB, request, 'place of the buffer');
    const offset = Number(request.readBigUInt64LE(at.offset));
    return new MappedMemory(this.#fd.fd, size, { offset, what: 'map the screen' });
  }

  #destroyDumb(handle: number): void {
    const request = Buffer.alloc(SIZE['struct drm_mode_destroy_dumb']);
    request.writeUInt32LE(handle);
    ioctl(this.#fd.fd, C.DRM_IOCTL_MODE_DESTROY_DUMB, request, 'free the buffer');
  }
}

/** struct drm_mode_modeinfo */
export function decodeMode(raw: Buffer): DrmMode {
  const at = OFFSET['struct drm_mode_modeinfo'];
  return {
    width: raw.readUInt16LE(at.hdisplay),
    height: raw.readUInt16LE(at.vdisplay),
    refreshHz: raw.readUInt32LE(at.vrefresh),
    preferred: (raw.readUInt32LE(at.type) & C.DRM_MODE_TYPE_PREFERRED) !== 0,
    raw,
  };
}

/** The smallest rectangle around all of them. */
export function boundsOf(rects: readonly Rect[]): Rect {
  const x = Math.min(...rects.map(each => each.x));
  const y = Math.min(...rects.map(each => each.y));
  return {
    x,
    y,
    width: Math.max(...rects.map(each => each.x + each.width)) - x,
    height: Math.max(...rects.map(each => each.y + each.height)) - y,
  };
}
