import { type Change, type Decision, FailureError, parseFingerprint, type RunRecord, type Stage } from '@dag/model';
import { cachedIn } from './cached.ts';
import { compareInputs } from './changes.ts';
import { decide } from './decide.ts';
import type { Explanation } from './event.ts';
import { variationOf } from './history/results.ts';
import { viewStage } from './observe-stage.ts';
import { Observer } from './observer.ts';
import type { Project } from './project.ts';
import { runKey } from './run-key.ts';

/**
 * Says what would be done with a stage and why: against the lock, and against the earlier run that is nearest to what
 * would run now, which needn't be the last.
 */
export async function explain(project: Project, stage: Stage): Promise<Explanation> {
  const observer = new Observer(project);
  const { observed, paramProblems } = await viewStage(project, observer, stage);
  if (paramProblems.length > 0) throw new FailureError({ code: 'invalid-pipeline', diagnostics: paramProblems });
  const decision: Decision = decide(stage, project.locks.stage(stage), observed, cachedIn(project.store));
  let nearest: { record: RunRecord; changes: readonly Change[] } | undefined;
  for (const record of project.store.runs.list()) {
    if (record.stage !== stage.address) continue;
    const earlier = parseFingerprint(record.fingerprint);
    if (earlier === undefined) continue;
    const changes = compareInputs(earlier, observed.fingerprint, observed.declared);
    if (nearest === undefined || isNearer(changes, record, nearest)) nearest = { record, changes };
  }
  const variation = variationOf(project.store.runs.find(runKey(observed.fingerprint)));
  const { params, env, outs } = observed.fingerprint;
  const changes = 'changes' in decision ? decision.changes : [];
  const unchanged = (kind: Change['changed'], total: number): number => {
    // What was removed from the declaration is a change, and no longer among those that could be unchanged.
    const changed = changes.filter(
      (change) => change.changed === kind && !('how' in change && change.how === 'removed'),
    );
    return total - changed.length;
  };
  const paramCount = [...params.values()].reduce((sum, values) => sum + values.size, 0);
  const paramsGone = changes.filter((change) => change.changed === 'param' && change.how === 'deleted').length;
  return {
    stage: stage.address,
    decision,
    ...(nearest === undefined ? {} : { nearest }),
    ...(variation === undefined ? {} : { variation }),
    unchanged: {
      deps: unchanged('dep', observed.declared.deps.size),
      params: unchanged('param', paramCount + paramsGone),
      env: unchanged('env', env.size),
      outs: unchanged('out', outs.size),
    },
  };
}

function isNearer(
  changes: readonly Change[],
  record: RunRecord,
  nearest: NonNullable<Explanation['nearest']>,
): boolean {
  const difference = changes.length - nearest.changes.length;
  return difference < 0 || (difference === 0 && record.startedAt > nearest.record.startedAt);
}
