// Preflight: compares what source and target report and says, by name, what speaks against the move. Pure; believes the
// figures it is given. It never repairs anything and never starts the move.

import type { Capabilities } from './capabilities.ts';
import { yadoError } from './errors.ts';
import { type Finding, preflightChecks, type Severity } from './preflight-checks.ts';

export interface PreflightRequest {
  /** Names (check ids) of warnings that the person has accepted. */
  readonly acceptRisks: readonly string[];
  /** Functions of the target for which the OS has no driver module. */
  readonly missingDrivers: readonly { readonly address: string; readonly modalias: string }[];
}

export interface CheckResult {
  readonly id: string;
  readonly ok: boolean;
  /** error: never moves; warning: moves only if accepted by name; note: is told, moves. */
  readonly severity: Severity;
  /** True for a warning that the person accepted. */
  readonly accepted: boolean;
  readonly text: string;
  readonly hint: string;
}

export interface PreflightResult {
  readonly checks: readonly CheckResult[];
  readonly refused: boolean;
}

/**
 * All checks, in the order of their table; `refused` when one stands against the move.
 * Throws `unknownRisk` when a risk is accepted that no check has.
 */
export function preflight(
  source: Capabilities,
  target: Capabilities,
  request: PreflightRequest,
): PreflightResult {
  for (const risk of request.acceptRisks) {
    if (!preflightChecks.some(each => each.id === risk && each.severity === 'warning')) {
      throw yadoError('unknownRisk', { risk, computer: target.name });
    }
  }
  const checks = preflightChecks.map(({ id, severity, title, compare }): CheckResult => {
    const finding: Finding | null = compare(source, target, request);
    if (!finding) return { id, ok: true, severity, accepted: false, text: title, hint: '' };
    const accepted = severity === 'warning' && request.acceptRisks.includes(id);
    return { id, ok: false, severity, accepted, ...finding };
  });
  return { checks, refused: checks.some(standsAgainst) };
}

/** True when the check alone is reason enough to refuse. */
export function standsAgainst(check: CheckResult): boolean {
  return !check.ok && (check.severity === 'error' || (check.severity === 'warning' && !check.accepted));
}

/** The refusal as one error that names every reason; undefined when nothing stands against the move. */
export function refusal(source: string, target: string, result: PreflightResult) {
  const against = result.checks.filter(standsAgainst);
  if (against.length === 0) return undefined;
  const reasons = against.map(check => check.text).join(' ');
  return yadoError('preflightRefused', { source, target, reasons });
}
