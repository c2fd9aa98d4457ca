import type { Stage, StageAddress } from '@dag/model';
import type { Pipeline } from '@dag/pipeline';

/** Which stage may come next: all of the selection that it needs must be settled before it. */
export interface Plan {
  /** The first ready stage for which `fits` holds; it counts as started from then on. */
  next(fits: (stage: Stage) => boolean): Stage | undefined;
  /** Says that a started stage is settled, so that what waited for it alone becomes ready. */
  settled(address: StageAddress): void;
}

/**
 * Plans stages in the order given, or by `places`, one for each of them; a stage whose place is late never starts before
 * an earlier one that is ready and fits. Without a pipeline no stage waits for another.
 */
export function planStages(pipeline: Pipeline | undefined, given: readonly Stage[], places?: readonly number[]): Plan {
  const stages = places === undefined ? given : sortedBy(given, places);
  const place = new Map(stages.map((stage, index) => [stage.address, index]));
  const open = new Map<StageAddress, number>();
  const ready: number[] = [];
  for (const [index, { address }] of stages.entries()) {
    const needed = pipeline?.upstream(address).filter((upstream) => place.has(upstream)).length ?? 0;
    open.set(address, needed);
    if (needed === 0) ready.push(index);
  }
  return {
    next(fits) {
      for (const [at, index] of ready.entries()) {
        const stage = stages[index];
        if (stage === undefined || !fits(stage)) continue;
        ready.splice(at, 1);
        return stage;
      }
      return undefined;
    },
    settled(address) {
      for (const downstream of pipeline?.downstream(address) ?? []) {
        const index = place.get(downstream);
        if (index === undefined) continue;
        const left = (open.get(downstream) ?? 0) - 1;
        open.set(downstream, left);
        if (left === 0) insertSorted(ready, index);
      }
    },
  };
}

function sortedBy(stages: readonly Stage[], places: readonly number[]): readonly Stage[] {
  const sorted: Stage[] = [];
  for (const [index, place] of places.entries()) sorted[place] = stages[index] as Stage;
  return sorted;
}

function insertSorted(list: number[], value: number): void {
  let low = 0;
  for (let high = list.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((list[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  list.splice(low, 0, value);
}
