// What the pairing commands print. Names come from another computer: nothing in them reaches the terminal unchecked.
import type { Code, Pairs } from '#core/api.ts';
import { textTable } from './text-table.ts';

/** Six digits in two groups, as a person reads them out. */
export function renderCode({ name, code }: Code): string {
  return `${name} shows a code too. Here it is:\n\n    ${code.slice(0, 3)} ${code.slice(3)}\n\n`;
}

export function renderPaired(name: string): string {
  return `Paired with ${name}.\n`;
}

export function renderKept(isKept: boolean): string {
  return isKept
    ? ''
    : 'This computer has no disk of its own to keep that on: it forgets it when it is switched off.\n';
}

export function renderPairs({ computer, os }: Pairs): string {
  const rows = [
    ...(os?.computers ?? []).map(each => ['computer', each.name, each.address ?? '', each.key]),
    ...computer.owners.map(each => ['OS', each.name, `may use ${computer.name}`, each.key]),
  ];
  const own = [
    ...(os ? [`The OS ${os.id} has the key ${os.key}`] : []),
    `${computer.name} has the key ${computer.key}`,
  ];
  const table = textTable(['WHAT', 'NAME', 'WHERE', 'KEY'], rows, 'Nothing is paired.');
  return `${own.join('\n')}\n\n${table}`;
}
