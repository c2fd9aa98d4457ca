import { type Change, type Decision, parseFingerprint, type RunRecord, type Stage } from '@dag/model';
import { cachedIn } from './cached.ts';
import { compareInputs } from './changes.ts';
import { decide } from './decide.ts';
import type { Explanation } from './event.ts';
import { viewStage } from './observe-stage.ts';
import { Observer } from './observer.ts';
import type { Project } from './project.ts';

/**
 * Says what would be done with a stage and why: against the lock, and against the earlier run that is nearest to what
 * would run now, which needn't be the last.
 */
export async function explain(project: Project, stage: Stage): Promise<Explanation> {
  const observer = new Observer(project);
  const { observed } = await viewStage(project, observer, stage);
  const decision: Decision = decide(stage, project.locks.stage(stage), observed, cachedIn(project.store));
  let nearest: { record: RunRecord; changes: readonly Change[] } | undefined;
  for (const record of project.store.runs.list()) {
    if (record.stage !== stage.address) continue;
    const earlier = parseFingerprint(record.fingerprint);
    if (earlier === undefined) continue;
    const changes = compareInputs(earlier, observed.fingerprint, observed.declared);
    if (nearest === undefined || isNearer(changes, record, nearest)) nearest = { record, changes };
  }
  const { deps, params, env, outs } = observed.fingerprint;
  const changed = (kind: Change['changed']): number =>
    decision.kind === 'run' || decision.kind === 'restore'
      ? decision.changes.filter((change) => change.changed === kind).length
      : 0;
  const paramCount = [...params.values()].reduce((sum, values) => sum + values.size, 0);
  return {
    stage: stage.address,
    decision,
    ...(nearest === undefined ? {} : { nearest }),
    unchanged: {
      deps: Math.max(0, deps.size - changed('dep')),
      params: Math.max(0, paramCount - changed('param')),
      env: Math.max(0, env.size - changed('env')),
      outs: Math.max(0, outs.size - changed('out')),
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
