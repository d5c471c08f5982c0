// Tables for people: columns as wide as their widest cell, two blanks between, no lines. Pure.

/** Aligned lines with the header first; without rows just `empty`. */
export function textTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  empty: string,
): string {
  if (rows.length === 0) return `${empty}\n`;
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map(row => printable(row[column] ?? '').length)));
  const lines = all.map(row =>
    widths
      .map((width, column) => printable(row[column] ?? '').padEnd(width))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

/** Names and states come from other computers: no control character of theirs reaches the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}
