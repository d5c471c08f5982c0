// Which mode of a screen shows a picture best. Pure.
import type { DrmMode } from '#linux/drm.ts';

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Modes to try, best first: of the very size; then those that hold the picture, smallest first; then what the screen
 * likes best, for a picture that must be made smaller; then the rest, largest first.
 */
export function modesFor(picture: Size, modes: readonly DrmMode[]): DrmMode[] {
  const area = (mode: Size): number => mode.width * mode.height;
  const rank = (mode: DrmMode): number => {
    if (mode.width === picture.width && mode.height === picture.height) return 0;
    if (mode.width >= picture.width && mode.height >= picture.height) return 1;
    return mode.preferred ? 2 : 3;
  };
  return modes.toSorted((a, b) => {
    const byRank = rank(a) - rank(b);
    if (byRank !== 0) return byRank;
    const bySize = rank(a) === 1 ? area(a) - area(b) : area(b) - area(a);
    return bySize || Number(b.preferred) - Number(a.preferred) || b.refreshHz - a.refreshHz;
  });
}
