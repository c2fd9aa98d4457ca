import type { Resources, Stage } from '@dag/model';
import type { PastRuns } from './critical-path.ts';
import { fitTogether } from './gpu/fit.ts';
import type { GpuDevice } from './gpu/smi.ts';

/** What the stages of one run may use together: cores, bytes of memory, GPUs (undefined while they aren't known). */
export interface Capacity {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: () => readonly GpuDevice[] | undefined;
}

const KINDS = ['cpu', 'memory'] as const;

/**
 * Mutexes, cores, memory and GPUs that running stages of this process hold. A stage that asks for more than
 * there is starts when no other holds any of that kind. One that says nothing of memory is taken to need what it needed
 * when it last ran, so that two large ones don't meet.
 */
export class Leases {
  readonly #capacity: Capacity;
  readonly #past: PastRuns;
  readonly #mutexes = new Set<string>();
  readonly #used = { cpu: 0, memory: 0 };
  readonly #onGpus = new Set<Resources>();

  constructor(capacity: Capacity, past: PastRuns) {
    this.#capacity = capacity;
    this.#past = past;
  }

  /** Whether the stage could start now. */
  fits(stage: Stage): boolean {
    if (stage.mutex.some((name) => this.#mutexes.has(name))) return false;
    if ((stage.resources.gpu ?? 0) > 0 && this.#onGpus.size > 0) {
      // While the devices aren't known, stages that want one go one by one.
      if (!fitTogether(this.#capacity.gpus() ?? [], [...this.#onGpus, stage.resources])) return false;
    }
    return KINDS.every((kind) => {
      // Nothing is asked of earlier runs while nothing else is held.
      if (this.#used[kind] === 0) return true;
      const wanted = this.#wanted(stage, kind);
      return wanted === 0 || this.#used[kind] + wanted <= this.#capacity[kind];
    });
  }

  /** Takes what the stage asks for, until released. */
  take(stage: Stage): { release(): void } {
    const taken = { cpu: 0, memory: 0 };
    const onGpus = { ...stage.resources };
    if ((onGpus.gpu ?? 0) > 0) this.#onGpus.add(onGpus);
    for (const name of stage.mutex) this.#mutexes.add(name);
    for (const kind of KINDS) {
      taken[kind] = this.#wanted(stage, kind);
      this.#used[kind] += taken[kind];
    }
    return {
      release: () => {
        for (const name of stage.mutex) this.#mutexes.delete(name);
        this.#onGpus.delete(onGpus);
        for (const kind of KINDS) this.#used[kind] -= taken[kind];
      },
    };
  }

  #wanted(stage: Stage, kind: (typeof KINDS)[number]): number {
    const declared = stage.resources[kind];
    if (kind !== 'memory' || declared !== undefined) return declared ?? 0;
    return this.#past(stage.address)?.peakRss ?? 0;
  }
}
