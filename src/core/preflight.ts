// Preflight: looks at what source and target report and says, by name, what speaks against the move. Pure; believes the
// figures it is given. It never repairs anything and never starts the move.

import type { Capabilities } from './capabilities.ts';
import type { Finding, PreflightCheck, PreflightRequest, Severity } from './checks/check.ts';
import { yadoError } from './errors.ts';
import { preflightChecks } from './preflight-checks.ts';

export interface CheckResult {
  readonly id: string;
  readonly ok: boolean;
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
 * All checks, in the order of their list; `refused` when one stands against the move. A check that finds something on
 * both computers is there twice.
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
  const findingsOf = (check: PreflightCheck): (Finding | null)[] => {
    if ('compare' in check) return [check.compare(source, target, request)];
    return [
      check.on === 'target' ? null : check.inspect(source),
      check.on === 'source' ? null : check.inspect(target),
    ];
  };
  const checks = preflightChecks.flatMap(check =>
    resultsOf(check, findingsOf(check), request.acceptRisks.includes(check.id)),
  );
  return { checks, refused: checks.some(standsAgainst) };
}

/** What can be told of one computer alone: as the source where an OS runs, else as a target. */
export function inspectAlone(computer: Capabilities): PreflightResult {
  const other = computer.role === 'active' ? 'target' : 'source';
  const checks = preflightChecks.flatMap(check =>
    'compare' in check || check.on === other ? [] : resultsOf(check, [check.inspect(computer)], false),
  );
  return { checks, refused: checks.some(standsAgainst) };
}

function resultsOf(
  { id, severity, title }: PreflightCheck,
  looks: readonly (Finding | null)[],
  isAccepted: boolean,
): CheckResult[] {
  const findings = looks.filter(each => each !== null);
  if (findings.length === 0) return [{ id, ok: true, severity, accepted: false, text: title, hint: '' }];
  const accepted = severity === 'warning' && isAccepted;
  return findings.map(found => ({ id, ok: false, severity, accepted, ...found }));
}

/** True when the check alone is reason enough to refuse. */
export function standsAgainst(check: Pick<CheckResult, 'ok' | 'severity' | 'accepted'>): boolean {
  return !check.ok && (check.severity === 'error' || (check.severity === 'warning' && !check.accepted));
}

/** The refusal as one error that names every reason; undefined when nothing stands against the move. */
export function refusal(source: string, target: string, result: PreflightResult) {
  const against = result.checks.filter(standsAgainst);
  if (against.length === 0) return undefined;
  const reasons = against.map(check => check.text).join(' ');
  return yadoError('preflightRefused', { source, target, reasons, next: nextOf(against, target) });
}

/** What to do about one thing; where there are several, what tells it of each. */
function nextOf([only, ...more]: readonly CheckResult[], target: string): string {
  if (!only || more.length > 0) return `yado doctor --with ${target}`;
  if (only.severity !== 'warning') return only.hint;
  return `${only.hint}; or accept it: yado migrate ${target} --accept-risk ${only.id}`;
}
