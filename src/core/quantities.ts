// How bytes and times are written for people, the same everywhere. Pure.

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** 1536 → "1.5 KiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** 850 → "850 ms"; 12340 → "12.3 s"; 125000 → "2 min 5 s". */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** "500ms", "2.5s", "1min", or a number of seconds; undefined for anything else. */
export function parseMs(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?) ?(ms|s|min)?$/.exec(text.trim()) ?? [];
  const factor = { ms: 1, s: 1000, min: 60_000 }[unit];
  return number === undefined || factor === undefined ? undefined : Number(number) * factor;
}
