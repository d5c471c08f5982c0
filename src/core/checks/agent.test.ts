// Checks of what must be there of Yadokari itself: what each finds, on which computer, and that it says so in a sentence with something to do.
import { movingAgentImage } from '../capabilities.ts';
import { agentChecks } from './agent.ts';
import { type Case, tryGroup } from './fixture-cases.ts';

const cases: readonly Case[] = [
  {
    id: 'protocol',
    b: { protocol: 9 },
    says: /^beta speaks protocol 9, alpha speaks 1/,
    hint: /\(yado unpair beta, then yado standby build beta --usb \/dev\/sdX --address \S+\), and start beta from it$/,
  },
  { id: 'agent-image', b: { agentImageHash: 'cd' }, says: /^beta holds another agent image/ },
  { id: 'agent-memory', a: { agentImageHash: movingAgentImage }, says: /^The agent of alpha lies in memory/ },
  { id: 'role', b: { role: 'ghost' }, says: /^beta is a ghost/, hint: /^yado standby beta$/ },
  { id: 'role', a: { role: 'standby' }, says: /^alpha runs no OS/ },
];

tryGroup(agentChecks, cases);
