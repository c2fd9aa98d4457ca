import type { Stage } from '@dag/model';
import type { PastRuns } from './critical-path.ts';

/** What the stages of one run may use together: cores, bytes of memory, GPUs (undefined while it isn't known how many). */
export interface Capacity {
  readonly cpu: number;
  readonly memory: number;
  readonly gpu: () => number | undefined;
}

const KINDS = ['cpu', 'memory', 'gpu'] as const;

/**
 * Mutexes, cores, memory and numbers of GPUs that running stages of this process hold. A stage that asks for more than
 * there is starts when no other holds any of that kind. One that says nothing of memory is taken to need what it needed
 * when it last ran, so that two large ones don't meet.
 */
export class Leases {
  readonly #capacity: Capacity;
  readonly #past: PastRuns;
  readonly #mutexes = new Set<string>();
  readonly #used = { cpu: 0, memory: 0, gpu: 0 };

  constructor(capacity: Capacity, past: PastRuns) {
    this.#capacity = capacity;
    this.#past = past;
  }

  /** Whether the stage could start now. */
  fits(stage: Stage): boolean {
    if (stage.mutex.some((name) => this.#mutexes.has(name))) return false;
    return KINDS.every((kind) => {
      // Nothing is asked of earlier runs while nothing else is held.
      if (this.#used[kind] === 0) return true;
      const wanted = this.#wanted(stage, kind);
      return wanted === 0 || this.#used[kind] + wanted <= this.#room(kind);
    });
  }

  /** Takes what the stage asks for, until released. */
  take(stage: Stage): { release(): void } {
    const taken = { cpu: 0, memory: 0, gpu: 0 };
    for (const name of stage.mutex) this.#mutexes.add(name);
    for (const kind of KINDS) {
      taken[kind] = this.#wanted(stage, kind);
      this.#used[kind] += taken[kind];
    }
    return {
      release: () => {
        for (const name of stage.mutex) this.#mutexes.delete(name);
        for (const kind of KINDS) this.#used[kind] -= taken[kind];
      },
    };
  }

  #wanted(stage: Stage, kind: keyof Capacity): number {
    const declared = stage.resources[kind];
    if (kind !== 'memory' || declared !== undefined) return declared ?? 0;
    return this.#past(stage.address)?.peakRss ?? 0;
  }

  #room(kind: keyof Capacity): number {
    return kind === 'gpu' ? (this.#capacity.gpu() ?? 0) : this.#capacity[kind];
  }
}
