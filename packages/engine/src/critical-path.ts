import type { Stage, StageAddress } from '@dag/model';
import type { Pipeline } from '@dag/pipeline';
import type { Past } from './history/durations.ts';

/** What is known of earlier runs of a stage; asked once a stage and run. */
export type PastRuns = (stage: StageAddress) => Past | undefined;

/**
 * The place of each stage in the order in which ready ones start: that with the longest way still to go first, so that
 * the end does not wait for what could have begun earlier. Its length is the time that it and what comes after it took
 * when they last ran; what never ran counts as the median of what did. Whole seconds, and at least one each: quick stages
 * keep their order from run to run, though none takes the same time twice. Ties go by the order given.
 * @param stages in topological order.
 * @returns for each, by its index, its place.
 */
export function criticalOrder(pipeline: Pipeline, stages: readonly Stage[], past: PastRuns): number[] {
  const place = new Map(stages.map((stage, index) => [stage.address, index]));
  const seconds = stages.map(({ address }) => past(address)?.seconds);
  const usual = median(seconds.filter((value) => value !== undefined)) ?? 1;
  const left = stages.map(() => 0);
  for (let index = stages.length - 1; index >= 0; index--) {
    const { address } = stages[index] as Stage;
    let after = 0;
    for (const downstream of pipeline.downstream(address)) {
      after = Math.max(after, left[place.get(downstream) ?? -1] ?? 0);
    }
    left[index] = Math.max(1, Math.round(seconds[index] ?? usual)) + after;
  }
  const order = [...stages.keys()].sort((a, b) => (left[b] ?? 0) - (left[a] ?? 0) || a - b);
  const places = stages.map(() => 0);
  for (const [rank, index] of order.entries()) places[index] = rank;
  return places;
}

function median(values: number[]): number | undefined {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
