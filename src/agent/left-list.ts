// What an OS leaves at a computer, each at a path, and takes up again when it is back there. Kept for an agent that is
// started anew.
import { endOf } from './end-of.ts';

interface LeftAt {
  readonly computer: string;
  readonly path: string;
}

export class LeftList<Item extends LeftAt> {
  readonly #changed: () => void;
  #items: readonly Item[];
  #turn: Promise<void> = Promise.resolve();

  /** @param changed what is `saved` has changed */
  constructor(saved: readonly Item[], changed: () => void) {
    this.#items = saved;
    this.#changed = changed;
  }

  get saved(): Item[] {
    return [...this.#items];
  }

  /** All that was begun by `takeUp` is done when this returns. @throws the reason of the signal, which waits for nothing */
  settled(signal?: AbortSignal): Promise<void> {
    return endOf(this.#turn, signal);
  }

  /** In place of one of the same computer and path. */
  keep(item: Item): void {
    const isSame = ({ computer, path }: LeftAt): boolean => computer === item.computer && path === item.path;
    this.#set([...this.#items.filter(each => !isSame(each)), item]);
  }

  forget(item: Item): void {
    this.#set(this.#items.filter(each => each !== item));
  }

  /**
   * Those of this computer, in the background, one after the other; none is left here then. `take` must not throw.
   * @param compare as for sort; without it in the order they were kept in
   */
  takeUp(
    computer: string,
    take: (item: Item) => Promise<void>,
    compare: (a: Item, b: Item) => number = () => 0,
  ): void {
    this.#turn = this.#turn.then(async () => {
      for (const item of this.#items.filter(each => each.computer === computer).toSorted(compare)) {
        await take(item);
        this.forget(item);
      }
    });
  }

  #set(items: readonly Item[]): void {
    this.#items = items;
    this.#changed();
  }
}
