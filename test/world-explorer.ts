// Walks through every world that can be reached, breadth first, and remembers how it got there. Assumes that worlds
// encode into small numbers; knows nothing of what they mean.

import {
  decode,
  describe,
  encode,
  type FindStep,
  firstWorld,
  type Kind,
  nextWorlds,
  remembered,
  type World,
  worldCount,
} from './world-model.ts';

export interface Exploration {
  readonly worlds: readonly number[];
  /** The story that leads to a world, a line a step. */
  readonly story: (code: number) => string;
  /** Marks all worlds from which, by steps of these kinds only, a world that satisfies `goal` can be reached. */
  readonly canReach: (goal: (world: World) => boolean, kinds: readonly Kind[]) => Uint8Array;
}

/** A list of numbers that grows without a box around each. */
class Numbers {
  #items = new Int32Array(1 << 16);
  length = 0;

  push(item: number): void {
    if (this.length === this.#items.length) {
      const larger = new Int32Array(this.#items.length * 2);
      larger.set(this.#items);
      this.#items = larger;
    }
    this.#items[this.length] = item;
    this.length += 1;
  }

  at(index: number): number {
    return this.#items[index]!;
  }
}

const kindNumbers: Readonly<Record<Kind, number>> = {
  work: 1,
  deliver: 2,
  timer: 4,
  loss: 8,
  cancel: 16,
  person: 32,
  power: 64,
};

/**
 * Every world reachable from the first one by the rules of `find`. `withPower` lets computers lose power; `stop` ends
 * the walk at the first world it is true for.
 */
export function explore(
  find: FindStep,
  withPower: boolean,
  stop: (world: World) => boolean = () => false,
): Exploration {
  const rules = remembered(find);
  const first = encode(firstWorld);
  const parent = new Int32Array(worldCount).fill(-1);
  const labels: string[] = [];
  const labelNumbers = new Map<string, number>();
  const labelOf = new Uint8Array(worldCount);
  const worlds = [first];
  parent[first] = first;
  // Edges as three parallel lists, chained by the world they lead to.
  const lastInto = new Int32Array(worldCount).fill(-1);
  const edgeFrom = new Numbers();
  const edgeKind = new Numbers();
  const edgeBefore = new Numbers();

  for (let index = 0; index < worlds.length; index += 1) {
    const code = worlds[index]!;
    const world = decode(code);
    if (stop(world)) break;
    for (const edge of nextWorlds(rules, world, withPower)) {
      const next = encode(edge.to);
      if (next === code) continue;
      edgeBefore.push(lastInto[next]!);
      lastInto[next] = edgeFrom.length;
      edgeFrom.push(code);
      edgeKind.push(kindNumbers[edge.kind]);
      if (parent[next] !== -1) continue;
      parent[next] = code;
      let label = labelNumbers.get(edge.label);
      if (label === undefined) {
        label = labels.push(edge.label) - 1;
        labelNumbers.set(edge.label, label);
      }
      labelOf[next] = label;
      worlds.push(next);
    }
  }

  const story = (code: number) => {
    const lines: string[] = [];
    for (let at = code; at !== first; at = parent[at]!)
      lines.push(`  ${labels[labelOf[at]!]} -> ${describe(decode(at))}`);
    return lines.toReversed().join('\n');
  };

  const canReach = (goal: (world: World) => boolean, kinds: readonly Kind[]) => {
    const wanted = kinds.reduce((sum, kind) => sum | kindNumbers[kind], 0);
    const reached = new Uint8Array(worldCount);
    const open = worlds.filter(code => goal(decode(code)));
    for (const code of open) reached[code] = 1;
    for (let code = open.pop(); code !== undefined; code = open.pop()) {
      for (let edge = lastInto[code]!; edge !== -1; edge = edgeBefore.at(edge)) {
        const before = edgeFrom.at(edge);
        if (reached[before] || !(edgeKind.at(edge) & wanted)) continue;
        reached[before] = 1;
        open.push(before);
      }
    }
    return reached;
  };

  return { worlds, story, canReach };
}
