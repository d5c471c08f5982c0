// Names of keys: from text and from chords like "ctrl-alt-f1" to QEMU's key codes (US layout).
// Pure.

import { LabError } from './lab-error.ts';

const plain: Readonly<Record<string, string>> = {
  ' ': 'spc',
  '-': 'minus',
  '=': 'equal',
  '[': 'bracket_left',
  ']': 'bracket_right',
  ';': 'semicolon',
  "'": 'apostrophe',
  '`': 'grave_accent',
  '\\': 'backslash',
  ',': 'comma',
  '.': 'dot',
  '/': 'slash',
  '\n': 'ret',
  '\t': 'tab',
};

const shifted: Readonly<Record<string, string>> = {
  '!': '1',
  '@': '2',
  '#': '3',
  $: '4',
  '%': '5',
  '^': '6',
  '&': '7',
  '*': '8',
  '(': '9',
  ')': '0',
  _: 'minus',
  '+': 'equal',
  '{': 'bracket_left',
  '}': 'bracket_right',
  ':': 'semicolon',
  '"': 'apostrophe',
  '~': 'grave_accent',
  '|': 'backslash',
  '<': 'comma',
  '>': 'dot',
  '?': 'slash',
};

const spellings: Readonly<Record<string, string>> = {
  enter: 'ret',
  space: 'spc',
  escape: 'esc',
  del: 'delete',
};

/** The key codes of one character. @throws LabError when no US keyboard types it. */
export function keysOfCharacter(character: string): string[] {
  if (/^[a-z0-9]$/.test(character)) return [character];
  if (/^[A-Z]$/.test(character)) return ['shift', character.toLowerCase()];
  if (plain[character] !== undefined) return [plain[character]];
  if (shifted[character] !== undefined) return ['shift', shifted[character]];
  throw new LabError(`no key types ${JSON.stringify(character)}`, 'only characters of a US keyboard');
}

/** The key codes of a chord: "ctrl-alt-f1", "enter", "shift-a". */
export function keysOfChord(chord: string): string[] {
  return chord
    .toLowerCase()
    .split('-')
    .filter(name => name !== '')
    .map(name => spellings[name] ?? name);
}
