// The text in which LVM keeps what its volume groups are made of: nested sections of names with numbers, strings and lists
// (man lvm.conf; lib/config of lvm2). Pure; gives up at anything else than that.
import { FormatError } from '#linux/system-error.ts';

export type LvmValue = number | string | readonly LvmValue[];
export interface LvmSection {
  readonly values: ReadonlyMap<string, LvmValue>;
  readonly sections: ReadonlyMap<string, LvmSection>;
}

/** A comment, a string, a number, a name, or one of the signs. */
const token = /\s*(?:#[^\n]*|("(?:[^"\\]|\\.)*")|(-?\d+)(?![\w.])|([\w.+-]+)|([{}[\],=]))/y;
/** Deeper than any volume group. */
const mostDepth = 8;

interface Token {
  readonly kind: 'string' | 'number' | 'name' | 'sign';
  readonly text: string;
}

/** @throws FormatError */
export function parseLvmText(text: string): LvmSection {
  const tokens = tokensOf(text);
  let at = 0;
  const next = (): Token | undefined => tokens[at++];
  const isSign = (sign: string): boolean => tokens[at]?.kind === 'sign' && tokens[at]?.text === sign;

  const value = (): LvmValue => {
    const found = next();
    if (found?.kind === 'string') return unquoted(found.text);
    if (found?.kind === 'number') return safeNumber(found.text);
    if (found?.kind !== 'sign' || found.text !== '[') throw broken(`${found?.text ?? 'its end'} for a value`);
    const list: LvmValue[] = [];
    while (!isSign(']')) {
      list.push(value());
      if (isSign(',')) at++;
      else if (!isSign(']')) throw broken('a list without an end');
    }
    at++;
    return list;
  };

  const section = (depth: number): LvmSection => {
    if (depth > mostDepth) throw broken('too many sections in each other');
    const [values, sections] = [new Map<string, LvmValue>(), new Map<string, LvmSection>()];
    while (at < tokens.length && !isSign('}')) {
      const name = next();
      // A volume may have a number for a name.
      if (name?.kind !== 'name' && name?.kind !== 'number')
        throw broken(`${name?.text ?? 'its end'} for a name`);
      if (values.has(name.text) || sections.has(name.text)) throw broken(`${name.text} twice`);
      const sign = next()?.text;
      if (sign === '=') values.set(name.text, value());
      else if (sign === '{') {
        sections.set(name.text, section(depth + 1));
        if (!isSign('}')) throw broken(`no end of ${name.text}`);
        at++;
      } else throw broken(`neither a value nor a section after ${name.text}`);
    }
    return { values, sections };
  };

  const whole = section(0);
  if (at < tokens.length) throw broken('an end too many');
  return whole;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  token.lastIndex = 0;
  while (token.lastIndex < end) {
    const from = token.lastIndex;
    const found = token.exec(text);
    if (!found) throw broken(JSON.stringify(text.slice(from, from + 20)));
    const [, string, number, name, sign] = found;
    if (string !== undefined) tokens.push({ kind: 'string', text: string });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
  }
  return tokens;
}

const unquoted = (text: string): string => text.slice(1, -1).replaceAll(/\\(.)/g, '$1');

function safeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw broken(`the number ${text}`);
  return number;
}

const broken = (problem: string): FormatError => new FormatError('text of LVM', problem);
