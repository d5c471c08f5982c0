// Two kinds of pictures as SVG text. Pure: rows in, text out.

/** One line of a picture. Values in the unit of the axis. */
export interface Row {
  readonly label: string;
  /** One value after the other; a picture of points shows their sum. */
  readonly parts: readonly { readonly name: string; readonly value: number }[];
  /** A mark beside: what nothing can go below. */
  readonly bound?: number | undefined;
}

export interface Group {
  readonly title: string;
  readonly rows: readonly Row[];
}

// Okabe and Ito's colours, which can be told apart without seeing all of them.
const palette = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00', '#f0e442', '#999999'];
const width = 820;
const left = 150;
const right = 80;
const rowHeight = 20;
const top = 52;

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(words)}</text>`;
const shown = (value: number): string =>
  value >= 10 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2);
const sumOf = (row: Row): number => row.parts.reduce((sum, { value }) => sum + value, 0);

interface Axis {
  readonly title: string;
  readonly unit: string;
  readonly ticks: readonly number[];
  readonly place: (value: number) => number;
}

/** The frame around the rows; `draw` gives what stands in one. */
function picture(
  groups: readonly Group[],
  names: readonly string[],
  axis: Axis,
  draw: (row: Row, y: number) => string,
): string {
  const out: string[] = [];
  let y = top;
  for (const group of groups) {
    out.push(text(8, y + 14, group.title, 'font-weight="bold"'));
    y += rowHeight;
    for (const row of group.rows) {
      out.push(text(left - 8, y + 14, row.label, 'text-anchor="end"'));
      out.push(draw(row, y));
      y += rowHeight;
    }
    y += 6;
  }
  const grid = axis.ticks.map(tick => {
    const x = axis.place(tick);
    return (
      `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${top}" y2="${y}" stroke="#ddd"/>` +
      text(x, y + 14, `${tick}`, 'text-anchor="middle" fill="#555"')
    );
  });
  let at = left;
  const legend = names.map((name, index) => {
    const item = `<rect x="${at}" y="32" width="11" height="11" fill="${palette[index % palette.length]}"/>${text(at + 15, 42, name)}`;
    at += 26 + name.length * 6.6;
    return item;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 36}" width="${width}" font-family="sans-serif" font-size="12">\n` +
    `<title>${axis.title}</title>\n<rect width="100%" height="100%" fill="white"/>\n${text(8, 18, axis.title, 'font-size="14" font-weight="bold"')}\n` +
    `${[...grid, ...legend, ...out].join('\n')}\n${text(width - right, y + 30, axis.unit, 'text-anchor="end" fill="#555"')}\n</svg>\n`
  );
}

const boundMark = (x: number, y: number): string =>
  `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${y + 2}" y2="${y + rowHeight - 2}" stroke="black" stroke-width="2"/>`;

const partNames = (groups: readonly Group[]): string[] => [
  ...new Set(groups.flatMap(group => group.rows.flatMap(row => row.parts.map(part => part.name)))),
];

/** Points on a scale of powers of ten; a black mark is the row's bound. */
export function pointPicture(title: string, unit: string, groups: readonly Group[]): string {
  const values = groups.flatMap(group =>
    group.rows.flatMap(row => [sumOf(row), row.bound ?? Number.NaN].filter(value => value > 0)),
  );
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.ceil(Math.log10(Math.max(...values)));
  const place = (value: number): number =>
    left + ((Math.log10(value) - low) / (high - low)) * (width - left - right);
  const ticks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  const names = [...new Set(groups.flatMap(group => group.rows.map(row => row.label)))];
  return picture(groups, [], { title, unit, ticks, place }, (row, y) => {
    const x = place(sumOf(row));
    const colour = palette[names.indexOf(row.label) % palette.length];
    const dot = `<circle cx="${x.toFixed(1)}" cy="${y + rowHeight / 2}" r="5" fill="${colour}"/>`;
    return (
      dot +
      text(x + 9, y + 14, shown(sumOf(row))) +
      (row.bound === undefined ? '' : boundMark(place(row.bound), y))
    );
  });
}

/** Bars made of parts, one behind the other; a black mark is the row's bound. */
export function barPicture(title: string, unit: string, groups: readonly Group[]): string {
  const most = Math.max(...groups.flatMap(group => group.rows.map(sumOf)));
  const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find(each => most / each <= 10) ?? 100;
  const place = (value: number): number => left + (value / most) * (width - left - right);
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, index) => +(index * step).toFixed(1));
  const names = partNames(groups);
  return picture(groups, names, { title, unit, ticks, place }, (row, y) => {
    let at = 0;
    const bars = row.parts.map(({ name, value }) => {
      const x = place(at);
      at += value;
      const colour = palette[names.indexOf(name) % palette.length];
      return `<rect x="${x.toFixed(1)}" y="${y + 3}" width="${(place(at) - x).toFixed(1)}" height="${rowHeight - 6}" fill="${colour}"/>`;
    });
    return (
      bars.join('') +
      text(place(at) + 6, y + 14, shown(at)) +
      (row.bound === undefined ? '' : boundMark(place(row.bound), y))
    );
  });
}
