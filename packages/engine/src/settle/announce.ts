import {
  type AnyPath,
  type Artifact,
  type Decision,
  type Failure,
  insideOuts,
  type RunRecord,
  type Stage,
} from '@dag/model';
import { otherFacts } from '../history/made-with.ts';
import { differingOuts } from '../history/results.ts';
import type { Outcome, ReproRun } from '../repro-run.ts';
import type { Left } from '../run/checkpoints.ts';

/** Tells what was decided of a stage. */
export function announce(run: ReproRun, stage: Stage, decision: Decision): void {
  run.announced.add(stage.address);
  run.emit({ event: 'stage', stage: stage.address, decision, planned: run.options.dry ?? false });
}

/** Tells that a stage failed; it may be before anything was decided. */
export function failed(
  run: ReproRun,
  stage: Stage,
  failure: Failure,
  seconds: number,
  exitCode?: number,
  left?: Left,
): Outcome {
  if (!run.announced.has(stage.address)) announce(run, stage, { kind: 'run', changes: [] });
  const exit = { ...(exitCode === undefined ? {} : { exitCode }), ...(left === undefined ? {} : { left }) };
  run.emit({ event: 'finished', stage: stage.address, status: 'failed', ...exit, seconds, failure });
  return { kind: 'failed', failure };
}

/** Tells that a stage was ended, or does not begin, though nothing is wrong with it. */
export function cancelled(run: ReproRun, stage: Stage, seconds = 0, left?: Left): Outcome {
  if (!run.announced.has(stage.address)) {
    announce(run, stage, { kind: 'blocked' });
    return { kind: 'cancelled' };
  }
  const kept = left === undefined ? {} : { left };
  run.emit({ event: 'finished', stage: stage.address, status: 'cancelled', seconds, ...kept });
  return { kind: 'cancelled' };
}

/** Says so where the same inputs gave other bytes than the last time. */
export function compareResults(
  run: ReproRun,
  stage: Stage,
  outs: ReadonlyMap<AnyPath, Artifact>,
  earlier: readonly RunRecord[],
  context: RunRecord['context'] | undefined,
): void {
  const last = earlier.find((record) => record.context['committed'] !== true);
  const differing = last === undefined ? [] : differingOuts(last, { outs: insideOuts(outs) });
  if (last === undefined || differing.length === 0) return;
  const facts = context === undefined ? new Map() : otherFacts([last.context, context]);
  const list = (run: 0 | 1): string => Array.from(facts, ([name, values]) => `${name} ${values[run]}`).join(' and ');
  const how = facts.size === 0 ? '' : `; that was made with ${list(0)}, now with ${list(1)}`;
  const when = `${last.startedAt.slice(0, 19).replace('T', ' ')} UTC`;
  run.emit({
    event: 'warning',
    stage: stage.address,
    message: `stage '${stage.address}' made other bytes than the run of ${when} from the same inputs: it is not reproducible (${differing.map((path) => `'${path}'`).join(', ')} differ${differing.length === 1 ? 's' : ''})${how}`,
    hint: 'both results are kept, the newest is what comes back; does it draw random numbers, read the clock, or something that is no dep?',
  });
}
