// Checks of Yadokari itself: both agents must be able to work together. Pure.

import { movingAgentImage } from '../capabilities.ts';
import { finding, type PreflightCheck } from './check.ts';

export const agentChecks: readonly PreflightCheck[] = [
  {
    id: 'protocol',
    severity: 'error',
    title: 'both speak the same protocol',
    why: 'They would not understand each other.',
    compare: (a, b) =>
      a.protocol === b.protocol
        ? null
        : finding(
            `${b.name} speaks protocol ${b.protocol}, ${a.name} speaks ${a.protocol}.`,
            'install the same version of Yadokari on both computers',
          ),
  },
  {
    id: 'agent-image',
    severity: 'error',
    title: 'both hold the same agent image',
    why: "The agent goes on from the target's copy.",
    compare: (a, b) =>
      a.agentImageHash === b.agentImageHash || a.agentImageHash === movingAgentImage
        ? null
        : finding(
            `${b.name} holds another agent image than ${a.name}.`,
            `start ${b.name} with the standby image made from this version`,
          ),
  },
  {
    id: 'agent-memory',
    severity: 'note',
    on: 'source',
    title: 'the agent lies in memory that is set aside',
    why: 'Else every move carries it: some 150 MiB more.',
    inspect: ({ name, agentImageHash }) =>
      agentImageHash === movingAgentImage
        ? finding(
            `The agent of ${name} lies in memory that moves: every move carries some 150 MiB more.`,
            'start the OS with memmap= as docs/agent.md says, the same on all computers',
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
