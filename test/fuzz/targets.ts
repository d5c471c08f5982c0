// The one list of fuzzers.
import { controlTargets } from './control-targets.ts';
import { helperTargets } from './helper-targets.ts';
import { kernelTargets } from './kernel-targets.ts';
import { localTargets } from './local-targets.ts';
import { peerTargets } from './peer-targets.ts';
import type { Target } from './target.ts';
import { wireTargets } from './wire-targets.ts';

export const targets: readonly Target[] = [
  ...wireTargets,
  ...controlTargets,
  ...helperTargets,
  ...peerTargets,
  ...kernelTargets,
  ...localTargets,
];
