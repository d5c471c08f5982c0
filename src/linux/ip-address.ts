// IP and MAC addresses: text <-> bytes. Pure; the text forms are those of inet_pton / RFC 5952.
import { isIP } from 'node:net';
import { FormatError } from '#linux/system-error.ts';

/** 4 or 16 bytes. @throws FormatError */
export function parseIp(text: string): Uint8Array {
  const version = text.includes('%') ? 0 : isIP(text);
  if (version === 4) return Uint8Array.from(text.split('.'), Number);
  if (version !== 6) throw new FormatError('IP address', JSON.stringify(text));
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const words = (part: string) => (part === '' ? [] : part.split(':').map(word => Number.parseInt(word, 16)));
  let plain = text;
  if (dotted?.[1] !== undefined && dotted[2] !== undefined) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted[2].split('.').map(Number);
    plain = `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  return Uint8Array.from(all.flatMap(word => [word >> 8, word & 0xff]));
}

/** @throws FormatError unless 4 or 16 bytes */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new FormatError('IP address', `${bytes.length} bytes`);
  const words = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  const text = words.join(':');
  // RFC 5952: the longest run (at least two) of zero words becomes "::", the first of equals.
  const runs = [...text.matchAll(/(?<![0-9a-f])0(:0(?![0-9a-f]))+/g)].sort(
    (a, b) => b[0].length - a[0].length,
  );
  const run = runs[0];
  if (run === undefined) return text;
  return `${text.slice(0, run.index)}::${text.slice(run.index + run[0].length)}`.replace(/:{3,}/, '::');
}

/** 6 bytes of "52:54:00:12:34:56". @throws FormatError */
export function parseMac(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text))
    throw new FormatError('MAC address', JSON.stringify(text));
  return Uint8Array.from(text.split(':'), part => Number.parseInt(part, 16));
}

/** Any length, as the kernel prints it. */
export function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':');
}
