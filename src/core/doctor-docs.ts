// Writes docs/doctor.md from the list of checks. Pure; the file itself is written by scripts/generate.ts.

import type { PreflightCheck } from './checks/check.ts';
import { checkGroups, preflightChecks } from './preflight-checks.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

const looksAt = { source: 'source', target: 'target', both: 'each' } as const;

const row = (check: PreflightCheck): string =>
  `| \`${check.id}\` | ${check.severity} | ${'compare' in check ? 'pair' : looksAt[check.on]} | ${cell(check.title)} | ${cell(check.why)} |`;

/** docs/doctor.md: every check by group. */
export function doctorMarkdown(): string {
  const count = (severity: string): number =>
    preflightChecks.filter(each => each.severity === severity).length;
  return `# Checks before a move

Generated from \`src/core/checks\`; do not edit.

\`yado doctor\` looks at this computer alone, \`yado doctor --with b\` and \`yado migrate b --dry-run\` at the move to b, and
every move goes through the same list (${preflightChecks.length} checks) before it changes anything.

- An **error** (${count('error')}) refuses the move.
- A **warning** (${count('warning')}) refuses it unless it is accepted by name: \`yado migrate b --accept-risk watchdog\`.
- A **note** (${count('note')}) is told and refuses nothing.

\`yado doctor\` and a dry run end with exit code 0 when nothing stands against a move, else with 4 (refused). \`--json\` gives
every check as \`{id, ok, severity, accepted, text, hint}\`.

"Pair": compares the source with the target. "Source": the computer that has the OS. "Each": both, each by itself. What
the OS has in use (programs, swap, mounts) is seen by its own agent only and is told to no other computer. A kernel that has
moved goes on with what it learned where it was started: clock rate, firmware and memory map are those.

What the hints mean:

- "Start the OS with \`x=y\`": a parameter of its kernel. With GRUB: add it to \`GRUB_CMDLINE_LINUX\` in \`/etc/default/grub\`, type
  \`update-grub\`, bring the OS home, and restart it there. Several hints: one restart for all of them.
  Within the quotes of that file a \`$\`, as in \`memmap=64K$8192K\`, is written \`\\\\\\$\`.
- "Start b with \`x=y\`", where b is a standby: in the menu of its medium (it shows for two seconds) press \`e\`, add it to the line
  that begins with \`linux\`, press Ctrl-x. It holds for that one start.
- "Make the medium of b anew": \`yado unpair b\`, then \`yado standby build b --usb …\` as in [the steps](install.md#6-the-medium-for-b).
${checkGroups
  .map(
    ({ name, checks }) => `
## ${name}

| check | weight | looks at | what is well | why it matters |
| --- | --- | --- | --- | --- |
${checks.map(row).join('\n')}
`,
  )
  .join('')}`;
}
