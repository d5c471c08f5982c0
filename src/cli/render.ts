// Turns answers of the agent into text for a person who is tired and in a hurry. Pure.

import type { ComputerRef, Lent, Status } from '#core/api.ts';
import type { ComputerRole } from '#core/capabilities.ts';
import {
  type DeviceLocationTable,
  deviceLocationCells,
  deviceLocationHeader,
} from '#core/device-location-table.ts';
import { type DeviceStatusTable, deviceStatusCells, deviceStatusHeader } from '#core/device-status-table.ts';
import { type Downtime, downtimePartNames } from '#core/downtime.ts';
import type { YadoError } from '#core/errors.ts';
import type { History, HistoryEntry } from '#core/history.ts';
import { type Progress, phases } from '#core/progress.ts';
import { formatBytes, formatMs } from '#core/quantities.ts';
import { printable, textTable } from './text-table.ts';

const roleTexts: Readonly<Record<ComputerRole, string>> = {
  active: 'active: the OS runs here',
  standby: 'standby: waits for an OS',
  ghost: 'ghost: its OS has left; it serves the devices that stayed',
};

export function renderStatus(status: Status): string {
  const { computer, role, os, left, migration, disk, version, protocol } = status;
  const rows = [
    ['Computer', `${computer.name} (${computer.address})`],
    ['Role', roleTexts[role]],
    ...(os
      ? [['OS', `${os.id}, epoch ${os.epoch}${os.addresses.length > 0 ? `, ${os.addresses.join(' ')}` : ''}`]]
      : []),
    ...(left ? [['Disk', leftText(left)]] : []),
    ['Migration', migration ? `to ${migration.target}: ${renderProgress(migration)}` : 'none'],
    ...(disk ? [['Disk', disk.text]] : []),
    ...homeText(status).map(text => ['Home', text]),
    ['Agent', `version ${version}, protocol ${protocol}`],
  ];
  return rows.map(([name = '', text = '']) => `${name.padEnd(11)}${printable(text)}\n`).join('');
}

/** Away from home: what becomes of the OS when it ends. A shared disk is started by whom its own text names. */
function homeText({ computer, os, disk }: Status): string[] {
  const home = os?.home;
  if (home === undefined || home.computer === computer.name || disk?.isShared) return [];
  if (home.hasDisk) return [`${home.computer}: it starts the OS again when that is restarted here`];
  return [
    `${home.computer}, whose disk is an older state. Nothing starts the OS from the disk it has now: before it is ` +
      `restarted or shut down, bring it home (yado migrate ${home.computer} --disk=follow)`,
  ];
}

/** What stands on the disk of a standby. */
function leftText({ os, state, to = 'another computer' }: NonNullable<Status['left']>): string {
  return state === 'left'
    ? `${os} has left to ${to}`
    : `${os} was leaving to ${to} when the power went: not started before ${to} says that it has not got it`;
}

export const renderDevices = (table: DeviceStatusTable) =>
  textTable(deviceStatusHeader, deviceStatusCells(table), 'No devices are managed here.');

export const renderWhere = (table: DeviceLocationTable) =>
  textTable(deviceLocationHeader, deviceLocationCells(table), 'No devices are managed here.');

export const renderComputers = (computers: readonly ComputerRef[]) =>
  textTable(
    ['COMPUTER', 'ADDRESS'],
    computers.map(each => [each.name, each.address]),
    'No other computer is known.',
  );

/** One line: phase, bytes, rate, time left. */
export function renderProgress(progress: Progress): string {
  const { bytesDone, bytesTotal, bytesPerSecond, etaMs } = progress;
  const parts: string[] = [phaseWords(progress)];
  if (bytesTotal > 0) {
    const percent = Math.min(100, Math.floor((bytesDone / bytesTotal) * 100));
    parts.push(`${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)} (${percent} %)`);
    if (bytesPerSecond > 0) parts.push(`${formatBytes(bytesPerSecond)}/s`);
    if (etaMs !== null && bytesDone < bytesTotal) parts.push(`${formatMs(etaMs)} left`);
  }
  if (progress.note) parts.push(progress.note);
  return parts.join(', ');
}

/** "copying ahead, round 2" */
function phaseWords({ phase, round }: Progress): string {
  return round ? `${phases[phase]}, round ${round}` : phases[phase];
}

/** The same for a screen, with a bar, at most `columns` wide. */
export function renderProgressLine(progress: Progress, columns: number): string {
  const { bytesDone, bytesTotal, bytesPerSecond, etaMs } = progress;
  const words = phaseWords(progress).padEnd(Math.max(...Object.values(phases).map(text => text.length)));
  if (bytesTotal === 0) return words.trimEnd().slice(0, columns);
  const width = Math.max(8, Math.min(24, columns - 66));
  const filled = Math.min(width, Math.floor((bytesDone / bytesTotal) * width));
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(width - filled)}]`;
  const rate = bytesPerSecond > 0 ? `  ${formatBytes(bytesPerSecond)}/s` : '';
  const left = etaMs !== null && bytesDone < bytesTotal ? `  ${formatMs(etaMs)} left` : '';
  return `${words} ${bar} ${formatBytes(bytesDone)} / ${formatBytes(bytesTotal)}${rate}${left}`.slice(
    0,
    columns,
  );
}

/** "12.3 s (freeze 20 ms, image 700 ms, …)" */
export function renderDowntime(downtime: Downtime): string {
  const parts = downtimePartNames.map(part => `${part} ${formatMs(downtime[part])}`);
  return `${formatMs(downtime.total)} (${parts.join(', ')})`;
}

/** "310 MiB were sent, 250 MiB of them ahead in 3 rounds" */
function renderSent({ bytesSent, preCopy }: HistoryEntry): string {
  const all = `${formatBytes(bytesSent)} were sent`;
  if (!preCopy?.rounds) return all;
  const rounds = preCopy.rounds === 1 ? 'a round' : `${preCopy.rounds} rounds`;
  return `${all}, ${formatBytes(preCopy.bytes)} of them while it ran, in ${rounds}`;
}

/** What is said at the end of a move that went well. */
export function renderMoved(entry: HistoryEntry): string {
  const lines = [`The OS now runs on ${entry.target}; ${renderSent(entry)}.`];
  if (entry.downtime) lines.push(`It stood still for ${renderDowntime(entry.downtime)}.`);
  return `${printable(lines[0] ?? '')}\n${lines[1] ? `${lines[1]}\n` : ''}`;
}

const outcomeTexts: Readonly<Record<HistoryEntry['outcome'], string>> = {
  moved: 'moved',
  rolledBack: 'went back',
  refused: 'refused',
  cancelled: 'cancelled',
};

export function renderHistory(history: History): string {
  const rows = history.map(entry => [
    entry.startedAt.replace('T', ' ').replace(/(\.\d+)?Z$/, ''),
    entry.source,
    entry.target,
    outcomeTexts[entry.outcome],
    formatBytes(entry.bytesSent) + (entry.preCopy ? `, ${formatBytes(entry.preCopy.bytes)} ahead` : ''),
    entry.downtime
      ? renderDowntime(entry.downtime)
      : (entry.error?.message ??
        (entry.pausedMs === undefined ? '' : `stood still for ${formatMs(entry.pausedMs)}`)),
  ]);
  return textTable(
    ['STARTED (UTC)', 'FROM', 'TO', 'OUTCOME', 'SENT', 'DOWNTIME, OR WHY NOT'],
    rows,
    'No move was tried yet.',
  );
}

export function renderLent({ device, computer, typeName }: Lent): string {
  return `${printable(`${device} is now ${typeName ?? 'a device'} of ${computer}.`)}\n`;
}

export function renderError(error: YadoError): string {
  return `yado: ${printable(error.message)}\n      next: ${printable(error.hint)}\n`;
}
