// The beginning of every story: its computers are booted, the OS is at work at A, the others wait for it.
import { after } from 'node:test';
import type { Computer } from '#lab/computer.ts';
import { type Lab, type LabOptions, startLab } from '#lab/lab.ts';
import { product } from '#lab/product.ts';
import { agentSays, bootIdOf, evidenceFolder, type Story, standbyReady, storiesOf } from './stories.ts';

export interface BootedStory {
  readonly lab: Lab;
  readonly a: Computer;
  readonly b: Computer;
  /** Of the OS, wherever it is. */
  readonly bootId: string;
  /** A folder for what is left to read. */
  readonly evidence: string;
  readonly story: Story;
  /** The computer that has the OS; a story whose OS moves says so here. */
  at: Computer;
}

/**
 * Boots the computers of a scenario ("paper" when none is named) and keeps them until the last part of the file has ended.
 * The parts behind one that failed are told only if the OS is whole where it should be. @throws LabError when a computer
 * does not come up; what it left to read is in lab/out/NAME
 */
export async function bootStory(
  name: string,
  options: Pick<LabOptions, 'scenario' | 'include' | 'layout'> = {},
): Promise<BootedStory> {
  const evidence = evidenceFolder(name);
  const lab = await startLab({ ...product(), ...options, say: text => console.log(`# ${text}`) });
  after(() => lab.down());
  const [a, b] = [lab.computer('a'), lab.computer('b')];
  try {
    await agentSays(a, /active/, 300_000);
    for (const each of lab.computers) if (each !== a) await standbyReady(each);
    const bootId = await bootIdOf(a);
    const goesOn = async (): Promise<boolean> => (await bootIdOf(booted.at)) === bootId;
    const booted: BootedStory = {
      lab,
      a,
      b,
      bootId,
      evidence,
      at: a,
      story: storiesOf(() => lab, evidence, goesOn),
    };
    return booted;
  } catch (error) {
    await lab.evidence(evidence);
    await lab.down();
    throw error;
  }
}
