import { StorageError } from '../storage/problem.ts';

/**
 * How many calls run at once, found out by trying: twice as many with every round of successes until the storage first says
 * that it is busy, or breaks off; then half as many, and one more with every round (additive increase, multiplicative decrease).
 */
export class Pace {
  #limit: number;
  readonly #most: number;
  #running = 0;
  #halvings = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
    this.#limit = Math.min(4, most);
  }

  /** Does the work as soon as there is room for it. A failure that may pass counts as the storage's stumbling. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= Math.floor(this.#limit)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    const began = this.#halvings;
    try {
      const result = await work();
      this.#limit = Math.min(this.#most, this.#limit + (this.#halvings > 0 ? 1 / this.#limit : 1));
      return result;
    } catch (error) {
      // What began before the last halving failed in the same moment as what led to it.
      if (error instanceof StorageError && error.transient && began === this.#halvings) {
        this.#limit = Math.max(1, this.#limit / 2);
        this.#halvings++;
      }
      throw error;
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    this.#running--;
    while (this.#running < Math.floor(this.#limit)) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }
}
