// Checks of Yadokari itself: both agents must be able to work together. Pure.

import { type Capabilities, movingAgentImage } from '../capabilities.ts';
import { finding, newMedium, type PreflightCheck } from './check.ts';

/** A standby has the version that its medium was made with. */
const sameVersion = (target: Capabilities): string =>
  `make the medium of ${target.name} anew (${newMedium(target)}), and start ${target.name} from it`;

export const agentChecks: readonly PreflightCheck[] = [
  {
    id: 'protocol',
    severity: 'error',
    title: 'both speak the same protocol',
    why: 'They would not understand each other.',
    compare: (a, b) =>
      a.protocol === b.protocol
        ? null
        : finding(`${b.name} speaks protocol ${b.protocol}, ${a.name} speaks ${a.protocol}.`, sameVersion(b)),
  },
  {
    id: 'agent-image',
    severity: 'error',
    title: 'both hold the same agent image',
    why: "The agent goes on from the target's copy.",
    compare: (a, b) =>
      a.agentImageHash === b.agentImageHash || a.agentImageHash === movingAgentImage
        ? null
        : finding(`${b.name} holds another agent image than ${a.name}.`, sameVersion(b)),
  },
  {
    id: 'agent-memory',
    severity: 'note',
    on: 'source',
    title: 'the agent lies in memory that is set aside',
    why: 'Else every move carries it, some 150 MiB more, and the computer that was left cannot become a standby by itself.',
    inspect: ({ name, agentImageHash }) =>
      agentImageHash === movingAgentImage
        ? finding(
            `The agent of ${name} lies in memory that moves: every move carries some 150 MiB more, and before the OS can come back ${name} must be started from a standby medium.`,
            'set memory aside: step 4 of /usr/share/doc/yadokari/install.md, the same on all computers',
          )
        : null,
  },
  {
    id: 'role',
    severity: 'error',
    title: 'the OS is here and the target stands by',
    why: 'Only a standby takes in an OS.',
    compare: (a, b) => {
      if (a.role !== 'active') return finding(`${a.name} runs no OS: it is ${a.role}.`, 'yado status');
      if (b.role === 'standby') return null;
      if (b.role === 'ghost')
        return finding(`${b.name} is a ghost, not a standby.`, `yado standby ${b.name}`);
      return finding(`${b.name} runs an OS of its own.`, 'yado computers');
    },
  },
];
