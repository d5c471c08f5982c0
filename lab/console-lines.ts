// The lines of the command channel (see workload/console-loop.sh): pure text to value and back.
// Any line may come: what is not understood is undefined, never an error, since a boot writes what it likes.

import { createHash } from 'node:crypto';

/** What the loop inside a computer may say. */
export type ConsoleLine =
  | { readonly kind: 'hello'; readonly boot: string }
  | { readonly kind: 'accepted' | 'stale' | 'running' | 'unknown'; readonly id: string }
  | { readonly kind: 'piece'; readonly id: string; readonly index: number; readonly base64: string }
  | {
      readonly kind: 'end';
      readonly id: string;
      readonly code: number;
      readonly pieces: number;
      readonly md5: string;
    }
  | { readonly kind: 'shell' };

const simple = { a: 'accepted', s: 'stale', w: 'running', u: 'unknown' } as const;

/** Understands one line. */
export function parseConsoleLine(line: string): ConsoleLine | undefined {
  if (/(^|\s)yado-shell\s*$/.test(line)) return { kind: 'shell' };
  const words = line.trim().split(' ');
  const [letter, first = '', second = '', third = '', fourth = ''] = words;
  if (letter === 'h' && /^[0-9a-f-]{36}$/.test(first)) return { kind: 'hello', boot: first };
  if (!/^[a-z0-9]+-\d+$/.test(first)) return undefined;
  if (letter === 'r' && /^\d+$/.test(second) && third !== '') {
    return { kind: 'piece', id: first, index: Number(second), base64: third };
  }
  if (letter === 'e' && /^\d+$/.test(second) && /^\d+$/.test(third) && /^[0-9a-f]{32}$/.test(fourth)) {
    return { kind: 'end', id: first, code: Number(second), pieces: Number(third), md5: fourth };
  }
  if (words.length === 2 && letter !== undefined && Object.hasOwn(simple, letter)) {
    return { kind: simple[letter as keyof typeof simple], id: first };
  }
  return undefined;
}

/** Asks whether the loop or a plain shell is there. The leading line end pushes out half a line before it. */
export const probeText = '\nH\necho yado-""shell\n';

/** Asks to run `command` once. `done` is a command whose result the loop may forget, or "-". */
export function runText(boot: string, id: string, done: string, command: string): string {
  const base64 = Buffer.from(command).toString('base64');
  return `\nX ${boot} ${id} ${done} ${base64.length} ${base64}\n`;
}

/** Asks what became of a command. */
export function askText(id: string): string {
  return `\nQ ${id}\n`;
}

/** Lines that turn a plain shell into the loop. Short, for a shell that edits its lines. */
export function bootstrapLines(loop: string): string[] {
  const pieces =
    Buffer.from(loop)
      .toString('base64')
      .match(/.{1,600}/g) ?? [];
  return [
    '',
    'mkdir -p /run/lab; : >/run/lab/loop.b64',
    ...pieces.map(piece => `echo ${piece} >>/run/lab/loop.b64`),
    'base64 -d </run/lab/loop.b64 >/run/lab/loop.sh && exec sh /run/lab/loop.sh /run/lab busybox',
  ];
}

/** Puts a result together. Undefined when a piece is missing or the sum differs: ask again. */
export function joinPieces(
  pieces: ReadonlyMap<number, string>,
  count: number,
  md5: string,
): Buffer | undefined {
  const parts: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const piece = pieces.get(index);
    if (piece === undefined) return undefined;
    parts.push(Buffer.from(piece, 'base64'));
  }
  const whole = Buffer.concat(parts);
  return createHash('md5').update(whole).digest('hex') === md5 ? whole : undefined;
}
