// What the lab's computers are given: the package and the standby image, built from these sources and kept in the cache.
// Waits for the build (minutes the first time, nothing when the sources have not changed). Never starts a computer.

import { buildAgentImage } from '../packaging/agent-image.ts';
import { buildDeb } from '../packaging/deb.ts';
import { buildStandbyImage } from '../standby/image.ts';
import type { StandbyImage } from './computer.ts';

/** Both hold the same agent image, as a move demands. */
export interface Product {
  readonly deb: string;
  readonly standby: StandbyImage;
}

/** Builds what is missing. @throws Error with a build tool's own words */
export function product(say: (text: string) => void = () => {}): Product {
  say('making the package and the standby image (minutes the first time, then kept)');
  const image = buildAgentImage();
  const { kernel, initrd } = buildStandbyImage(image);
  return { deb: buildDeb(image), standby: { kernel, initrd } };
}
