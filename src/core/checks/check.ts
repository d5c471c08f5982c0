// What a check is: a name, how much weighs what it finds, and one look at one computer or at both. Pure.

import type { Capabilities } from '../capabilities.ts';
import type { WayDecision } from '../device-ways.ts';
import type { DiskPlan } from '../disk-wish.ts';
import { isMachineAddress } from '../machine-address.ts';
import type { OsState } from '../os-state.ts';

/** error: never moves; warning: moves only if accepted by name; note: is told, moves. */
export const severities = ['error', 'warning', 'note'] as const;
export type Severity = (typeof severities)[number];

export interface Finding {
  /** One sentence: which computer, what, and what it means for the move. */
  readonly text: string;
  /** What to type or do next. */
  readonly hint: string;
}

/** What is known of a move besides what the two computers report. */
export interface PreflightRequest {
  /** Names (check ids) of warnings that the person has accepted. */
  readonly acceptRisks: readonly string[];
  /** Functions of the target for which the OS has no driver module. */
  readonly missingDrivers: readonly { readonly address: string; readonly modalias: string }[];
  /** Drivers that the OS has, and does not take up at the target (`lastingDrivers`), with the card each is for. */
  readonly lastingDrivers: readonly { readonly address: string; readonly module: string }[];
  /** Which way every device of the OS would take. */
  readonly ways: readonly WayDecision[];
  /** When the disk of the OS is not to stay where it is. */
  readonly disk?: DiskPlan | undefined;
}

/** source: the computer that has the OS; target: one that waits for an OS. */
export type Side = 'source' | 'target' | 'both';

interface Described {
  /** Stable name: what `--accept-risk` takes. */
  readonly id: string;
  readonly severity: Severity;
  /** What is well when nothing was found. */
  readonly title: string;
  /** What would happen else, for the documentation. */
  readonly why: string;
}

/** Looks at one computer alone. */
export interface AloneCheck extends Described {
  readonly on: Side;
  readonly inspect: (computer: Capabilities) => Finding | null;
}

/** Compares the source (a) with the target (b). */
export interface PairCheck extends Described {
  readonly compare: (a: Capabilities, b: Capabilities, request: PreflightRequest) => Finding | null;
}

export type PreflightCheck = AloneCheck | PairCheck;

export const finding = (text: string, hint: string): Finding => ({ text, hint });

/** An `inspect` that looks at the OS, where one runs. */
export const ofOs =
  (look: (os: OsState, computer: Capabilities) => Finding | null) =>
  (computer: Capabilities): Finding | null =>
    computer.os ? look(computer.os, computer) : null;

/**
 * How to make the medium of a standby anew. While it is paired there can be no other one; and once it is not, its address is known
 * only where the settings name it.
 */
export function newMedium({ name, nic }: Capabilities): string {
  const address = nic && isMachineAddress(nic.address) ? ` --address ${nic.address}` : '';
  return `yado unpair ${name}, then yado standby build ${name} --usb /dev/sdX${address}`;
}

/** "x, y, z, and 4 more" */
export function listed(names: readonly string[], most = 8): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown}, and ${names.length - most} more` : shown;
}
