// Control messages between two agents: one CBOR map a message, a u32 length before it, requests answered in order.
// Strict: unknown fields, types and versions are refused.
import { decode, encode } from 'cborg';
import * as v from 'valibot';
import { CapabilitiesSchema } from '#core/capabilities.ts';
import { cipherNames } from '#core/ciphers.ts';
import { lendableClasses } from '#core/device-class.ts';
import { regionBytes, windowBytes } from '#core/disk-follow.ts';
import { BlockPlaceSchema, DiskLookSchema, DiskNameSchema } from '#core/disk-wish.ts';
import { ComputerKeysSchema } from '#core/pins.ts';
import { PciAddress } from '#core/shapes.ts';
import { secretBytes, tagSeedBytes } from '#wire/frames.ts';
import { Pieces } from '#wire/pieces.ts';
import { WireError } from '#wire/wire-error.ts';

/** What an OS that has ended wants of a computer: that it starts the OS again, switches itself off, or only serves no more. */
export const endings = ['restart', 'off', 'stay'] as const;
export type Ending = (typeof endings)[number];
/** Of the computer that the OS is started from. */
export type HomeEnding = Exclude<Ending, 'stay'>;

export const controlPort = 7400;
export const claimPort = 7401;
export const bulkPort = 7402;
export const nbdPort = 10809;
/** Raised by every change that an older agent would misunderstand. */
export const protocolVersion = 5;
export const maxControlBytes = 1 << 20;
/** Bytes of a print job in one message. */
export const maxPrintBytes = 256 * 1024;
/** Compressed bytes of changed rectangles in one message, and rectangles in it. */
export const maxDrawBytes = 768 * 1024;
export const maxRectangles = 256;
const maxReasonLength = 300;
/** Side of a screen in pixels. */
const maxPixels = 16_384;
/** An input event on the wire: type u16, code u16, value s32, little endian (include/uapi/linux/input.h without time). */
export const inputEventBytes = 8;
export const maxInputEvents = 512;
/** Of a region of a disk: SHA-256. */
export const regionHashBytes = 32;

const maxTextLength = 1000;
const Text = v.pipe(v.string(), v.maxLength(maxTextLength));
const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Secret = v.pipe(
  v.instance(Uint8Array),
  v.check(bytes => bytes.length === secretBytes, `${secretBytes} bytes`),
);
const TagSeed = v.pipe(
  v.instance(Uint8Array),
  v.check(bytes => bytes.length === 0 || bytes.length === tagSeedBytes, `none or ${tagSeedBytes} bytes`),
);
const CipherName = v.picklist(cipherNames);
const bytesUpTo = (most: number) =>
  v.pipe(
    v.instance(Uint8Array),
    v.check(bytes => bytes.length <= most, `at most ${most} bytes`),
  );
const Pixels = v.pipe(Count, v.maxValue(maxPixels));
/** `data` is zstd of the rectangle's rows in the format of the stub, without gaps. */
const Rectangle = v.strictObject({
  x: Pixels,
  y: Pixels,
  width: v.pipe(Pixels, v.minValue(1)),
  height: v.pipe(Pixels, v.minValue(1)),
  data: bytesUpTo(maxDrawBytes),
});

/** Requests by type: what is asked and what is answered. */
export const controlRequests = {
  describe: { request: v.strictObject({}), answer: v.strictObject({ capabilities: CapabilitiesSchema }) },
  prepare: {
    request: v.strictObject({
      osId: Text,
      epoch: Count,
      /** Of this move alone: the keys of its stream and of its claims follow from it. */
      secret: Secret,
      cipher: CipherName,
      imageBytes: Count,
      /** PCI functions of the target that the OS has too, in the same place. */
      kept: v.pipe(v.array(PciAddress), v.maxLength(4096)),
      source: Text,
      /** The OS was started by another firmware: events of that of the target are not for it. */
      isForeign: v.boolean(),
      /** Where the stream comes from, and where the copy claims. */
      sourceAddress: v.pipe(Text, v.ipv4()),
    }),
    /**
     * `parkBytes`: how much of the OS's memory the target holds before the image comes. `keys`: the target's own, for the
     * OS answers with them once it is there, and leaves them to its ghost. `tagSeed`: from which the tags are made by which
     * the target looks for pages of the OS in its own memory; empty when it does not.
     */
    answer: v.strictObject({ port: Count, parkBytes: Count, keys: ComputerKeysSchema, tagSeed: TagSeed }),
  },
  cancel: { request: v.strictObject({}), answer: v.strictObject({}) },
  /**
   * From a computer that was switched off while an OS was leaving it, in the OS's name: whether the asked one has it.
   * `nowhere`: it has not, and will never take it in this epoch or one before.
   */
  whereIs: {
    request: v.strictObject({ osId: Text, epoch: Count }),
    answer: v.strictObject({ where: v.picklist(['here', 'arriving', 'nowhere']) }),
  },
  /**
   * The OS has ended in good order where it was, and uses nothing any more: the computer it is started from may start it again
   * (`restart`), or is not needed until a person switches it on (`off`); the others need not serve it any more (`stay`). Told by the
   * last program of the OS.
   */
  ended: {
    request: v.strictObject({ osId: Text, epoch: Count, how: v.picklist(endings) }),
    answer: v.strictObject({}),
  },
  /** The OS runs at the asker now: what was kept for a way back may go. */
  alive: {
    request: v.strictObject({ osId: Text, epoch: Count, computer: Text, address: Text }),
    answer: v.strictObject({}),
  },
  /**
   * Where a device of the OS is served in its present epoch; whoever uses it in an older one is cut off. `secret`: of the
   * one connection that is made next, and of nothing else; that of an earlier answer is worth nothing any more.
   */
  device: {
    request: v.strictObject({ osId: Text, device: Text, epoch: Count }),
    answer: v.strictObject({
      ready: v.boolean(),
      exportName: Text,
      port: Count,
      secret: Secret,
      cipher: CipherName,
    }),
  },
  /**
   * Hashes of the regions of a part of a disk that was left behind, one after the other. Not ready: it is not served (yet).
   */
  diskHashes: {
    request: v.strictObject({
      osId: Text,
      device: Text,
      epoch: Count,
      start: v.pipe(
        Count,
        v.check(byte => byte % regionBytes === 0, 'where a region begins'),
      ),
      bytes: v.pipe(Count, v.minValue(1), v.maxValue(windowBytes)),
    }),
    answer: v.strictObject({
      ready: v.boolean(),
      hashes: bytesUpTo((windowBytes / regionBytes) * regionHashBytes),
    }),
  },
  /** The OS has its disk elsewhere now: what was left behind is an older state, and is served no more. */
  diskReleased: {
    request: v.strictObject({ osId: Text, device: Text, epoch: Count }),
    answer: v.strictObject({}),
  },
  /**
   * Which disk of the asked computer is meant, and what is on it. `disk`: as a person named it. `place`: where the OS had its
   * disk before, which counts only when its mark is on it.
   */
  diskLook: {
    request: v.strictObject({
      osId: Text,
      disk: v.exactOptional(DiskNameSchema),
      place: v.exactOptional(BlockPlaceSchema),
    }),
    answer: DiskLookSchema,
  },
  /**
   * Bytes for a printer; `first` numbers the first of them, the OS knows that it has those before `delivered`. None: only
   * the status is asked for. `jobEnd`: number behind the job, for a printer that takes whole jobs. `hold`: what is under
   * way is ended and nothing more printed, for the OS is about to move. The answer's `received` is what to give next.
   */
  print: {
    request: v.strictObject({
      osId: Text,
      device: Text,
      epoch: Count,
      first: Count,
      delivered: Count,
      data: bytesUpTo(maxPrintBytes),
      jobEnd: v.exactOptional(Count),
      hold: v.boolean(),
    }),
    answer: v.strictObject({
      delivered: Count,
      received: Count,
      status: v.pipe(Count, v.maxValue(0xff)),
      typeName: v.exactOptional(Text),
      deviceId: v.exactOptional(Text),
      note: v.exactOptional(Text),
    }),
  },
  /**
   * A device of the asked computer is to serve as `device` of an OS (`yado lend`): it is shown as what it is, and
   * answers `screen`, `keys` and `print` in `epoch` from now on, until it is given back or not used for a while.
   */
  lend: {
    request: v.strictObject({ osId: Text, device: Text, class: v.picklist(lendableClasses), epoch: Count }),
    answer: v.strictObject({ typeName: Text }),
  },
  giveBack: { request: v.strictObject({ device: Text, epoch: Count }), answer: v.strictObject({}) },
  /** Frames of this size will come: what screen they go to and how they are converted, in words. */
  screen: {
    request: v.strictObject({
      device: Text,
      epoch: Count,
      width: v.pipe(Pixels, v.minValue(1)),
      height: v.pipe(Pixels, v.minValue(1)),
      bitsPerPixel: v.picklist([16, 32]),
    }),
    answer: v.strictObject({ typeName: Text, mode: Text, conversion: Text }),
  },
  /** What has changed on the screen. */
  draw: {
    request: v.strictObject({
      device: Text,
      epoch: Count,
      rects: v.pipe(v.array(Rectangle), v.maxLength(maxRectangles)),
    }),
    answer: v.strictObject({}),
  },
  /** What was typed and moved since the last answer; waits up to `waitMs` for the first. `leds`: bit n is LED n. */
  keys: {
    request: v.strictObject({
      device: Text,
      epoch: Count,
      waitMs: v.pipe(Count, v.maxValue(20_000)),
      leds: v.pipe(Count, v.maxValue(0xffff)),
    }),
    answer: v.strictObject({ typeName: Text, events: bytesUpTo(maxInputEvents * inputEventBytes) }),
  },
  standby: { request: v.strictObject({}), answer: v.strictObject({}) },
  status: {
    request: v.strictObject({}),
    answer: v.strictObject({ name: Text, role: v.picklist(['active', 'standby', 'ghost']) }),
  },
} as const;
export type ControlType = keyof typeof controlRequests;
export type ControlRequest<T extends ControlType> = v.InferOutput<(typeof controlRequests)[T]['request']>;
export type ControlAnswer<T extends ControlType> = v.InferOutput<(typeof controlRequests)[T]['answer']>;

const RequestEnvelope = v.strictObject({ version: Count, id: Count, type: v.string(), body: v.unknown() });
const AnswerEnvelope = v.strictObject({
  version: Count,
  id: Count,
  body: v.optional(v.unknown()),
  error: v.optional(v.strictObject({ code: Text, message: Text, hint: Text })),
});
export type AnswerError = { readonly code: string; readonly message: string; readonly hint: string };

export function encodeRequest<T extends ControlType>(id: number, type: T, body: ControlRequest<T>): Buffer {
  return withLength(encode({ version: protocolVersion, id, type, body }));
}

export function encodeAnswer(id: number, body: unknown): Buffer {
  return withLength(encode({ version: protocolVersion, id, body }));
}

/** Texts are cut to what the other side takes. */
export function encodeErrorAnswer(id: number, { code, message, hint }: AnswerError): Buffer {
  const error = { code, message: message.slice(0, maxTextLength), hint: hint.slice(0, maxTextLength) };
  return withLength(encode({ version: protocolVersion, id, error }));
}

/** A request with its body not yet checked; `checkRequest` does that once the type is known to be served. */
export function decodeRequest(bytes: Uint8Array): {
  version: number;
  id: number;
  type: string;
  body: unknown;
} {
  const { version, id, type, body } = parseCbor(RequestEnvelope, bytes);
  return { version, id, type, body };
}

export function checkRequest<T extends ControlType>(type: T, body: unknown): ControlRequest<T> {
  const result = v.safeParse(controlRequests[type].request, body, early);
  if (!result.success) throw new WireError('badMessage', `${type}: ${reasonOf(result.issues)}`);
  return result.output as ControlRequest<T>;
}

export function decodeAnswer(bytes: Uint8Array): {
  version: number;
  id: number;
  body?: unknown;
  error?: AnswerError | undefined;
} {
  return parseCbor(AnswerEnvelope, bytes);
}

export function checkAnswer<T extends ControlType>(type: T, body: unknown): ControlAnswer<T> {
  const result = v.safeParse(controlRequests[type].answer, body, early);
  if (!result.success) throw new WireError('badMessage', `answer to ${type}: ${reasonOf(result.issues)}`);
  return result.output as ControlAnswer<T>;
}

/** Cuts a stream into messages. */
export class MessageReader {
  readonly #pieces = new Pieces();
  readonly #maxBytes: number;
  /** How many bytes there must be for more than what was seen. */
  #wanted = 4;

  /** @param maxBytes of one message */
  constructor(maxBytes = maxControlBytes) {
    this.#maxBytes = maxBytes;
  }

  /** @throws WireError when a message is longer than allowed; what has come is forgotten then */
  push(chunk: Uint8Array): Buffer[] {
    this.#pieces.add(chunk);
    if (this.#pieces.length < this.#wanted) return [];
    let pending = this.#pieces.take();
    const messages: Buffer[] = [];
    this.#wanted = 4;
    while (pending.length >= 4) {
      const length = pending.readUInt32LE(0);
      // Whoever goes on sending must not go on filling memory: nothing is put back.
      if (length > this.#maxBytes) throw new WireError('frameTooLarge', `${length} bytes`);
      if (pending.length < 4 + length) {
        this.#wanted = 4 + length;
        break;
      }
      messages.push(pending.subarray(4, 4 + length));
      pending = pending.subarray(4 + length);
    }
    this.#pieces.add(pending);
    return messages;
  }
}

/** With the u32 length that `MessageReader` goes by. */
export function withLength(bytes: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(bytes.length);
  return Buffer.concat([head, bytes]);
}

/** The first thing that does not fit ends it: a message of a million wrong ones must not give a million reasons. */
const early = { abortEarly: true } as const;

/** It names what came, which may be long. */
function reasonOf(issues: [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string {
  return v.summarize(issues).slice(0, maxReasonLength);
}

/** @throws WireError when the bytes are not one whole value of that shape */
export function parseCbor<Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array,
): v.InferOutput<Schema> {
  let value: unknown;
  try {
    value = decode(bytes, { strict: true, allowIndefinite: false, rejectDuplicateMapKeys: true });
  } catch (error) {
    throw new WireError('badMessage', error instanceof Error ? error.message : String(error));
  }
  const result = v.safeParse(schema, value, early);
  if (!result.success) throw new WireError('badMessage', reasonOf(result.issues));
  return result.output;
}
