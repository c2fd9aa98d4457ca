import os from 'node:os';
import type { Stage } from '@dag/model';

/** What the stages of one run may use together. CPUs are cores, memory is bytes. */
export interface Capacity {
  readonly cpu: number;
  readonly memory: number;
}

/** Mutexes, cores and memory that running stages hold. A stage that asks for more than there is starts when no other holds any of that kind. */
export class Leases {
  readonly #capacity: Capacity;
  readonly #mutexes = new Set<string>();
  readonly #used = { cpu: 0, memory: 0 };

  constructor(capacity: Capacity = { cpu: os.availableParallelism(), memory: os.totalmem() }) {
    this.#capacity = capacity;
  }

  /** Whether the stage could start now. */
  fits(stage: Stage): boolean {
    if (stage.mutex.some((name) => this.#mutexes.has(name))) return false;
    return (['cpu', 'memory'] as const).every((kind) => {
      const wanted = stage.resources[kind] ?? 0;
      return wanted === 0 || this.#used[kind] === 0 || this.#used[kind] + wanted <= this.#capacity[kind];
    });
  }

  /** Takes what the stage asks for, until released. */
  take(stage: Stage): { release(): void } {
    const { cpu = 0, memory = 0 } = stage.resources;
    for (const name of stage.mutex) this.#mutexes.add(name);
    this.#used.cpu += cpu;
    this.#used.memory += memory;
    return {
      release: () => {
        for (const name of stage.mutex) this.#mutexes.delete(name);
        this.#used.cpu -= cpu;
        this.#used.memory -= memory;
      },
    };
  }
}
