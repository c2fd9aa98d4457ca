import type { StageAddress } from '@dag/model';

/** What an estimate draws on. Times in seconds. */
export interface TimeLeftOptions {
  /** All stages, upstream before downstream. */
  readonly stages: readonly StageAddress[];
  readonly upstream: (stage: StageAddress) => readonly StageAddress[];
  readonly isSettled: (stage: StageAddress) => boolean;
  /** How long a stage runs already; undefined for one that does not. */
  readonly elapsed: (stage: StageAddress) => number | undefined;
  /** What it took last time; undefined where nobody knows. */
  readonly usual: (stage: StageAddress) => number | undefined;
  readonly jobs: number;
}

/**
 * Seconds until all stages are done, as far as earlier runs tell: the longest way through what is left, or all of it
 * shared out among the job slots, whichever is more. Stages that are not settled count as if they ran; those without
 * a past, as the mean of the others. Undefined where no stage that is left has a past.
 */
export function timeLeft(options: TimeLeftOptions): number | undefined {
  const { stages, upstream, isSettled, elapsed, usual, jobs } = options;
  const open = stages.filter((stage) => !isSettled(stage));
  const known = open.flatMap((stage) => usual(stage) ?? []);
  if (known.length === 0) return undefined;
  const mean = known.reduce((sum, seconds) => sum + seconds, 0) / known.length;
  const done = new Map<StageAddress, number>();
  let [longest, sum] = [0, 0];
  for (const stage of open) {
    const own = Math.max(0, (usual(stage) ?? mean) - (elapsed(stage) ?? 0));
    const start = upstream(stage).reduce((latest, address) => Math.max(latest, done.get(address) ?? 0), 0);
    done.set(stage, start + own);
    longest = Math.max(longest, start + own);
    sum += own;
  }
  return Math.max(longest, sum / jobs);
}
