// The screen of a computer without an OS: who it is and what it does, for somebody who stands before it.
import { existsSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';

/** The terminal in front. */
let path = '/dev/tty0';
let last = '';

/** On this terminal alone from now on: on others a person types. */
export function showOn(terminal: string): void {
  path = terminal;
}

/** Shows `lines` under the computer's name. Nothing happens where there is no screen. */
export function show(name: string, lines: readonly string[]): void {
  const text = [
    '',
    `   Yadokari    ${name || hostname()}`,
    `   ${'─'.repeat(60)}`,
    '',
    ...lines.map(line => `   ${line}`),
    '',
  ].join('\r\n');
  if (text === last || !existsSync(path)) return;
  last = text;
  try {
    writeFileSync(path, `\x1b[2J\x1b[H\x1b[?25l${text}`);
  } catch {
    // A console that is being exchanged: the next line will come through.
  }
}

/** `[#####     ]  42 %` */
export function bar(done: number, total: number): string {
  const part = total > 0 ? Math.min(1, done / total) : 0;
  return `[${'#'.repeat(Math.round(part * 40)).padEnd(40)}] ${String(Math.floor(part * 100)).padStart(3)} %`;
}
