/**
 * How many calls run at once, found out by trying (additive increase, multiplicative decrease): more while calls succeed,
 * half as many when the storage says that it is busy or breaks off.
 */
export class Pace {
  #limit: number;
  readonly #most: number;
  #running = 0;
  /** Calls that were running when the limit was last halved: their failures are of the same moment. */
  #settling = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#most = most;
    this.#limit = Math.min(4, most);
  }

  /** Does the work as soon as there is room for it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= Math.floor(this.#limit)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running++;
    try {
      const result = await work();
      this.#limit = Math.min(this.#most, this.#limit + 1 / this.#limit);
      return result;
    } finally {
      this.#leave();
    }
  }

  /** The storage stumbled over a call that was running. */
  slowDown(): void {
    if (this.#settling > 0) return;
    this.#limit = Math.max(1, this.#limit / 2);
    this.#settling = this.#running;
  }

  #leave(): void {
    this.#running--;
    if (this.#settling > 0) this.#settling--;
    while (this.#running < Math.floor(this.#limit)) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#running++;
      next();
    }
  }
}
