import {
  type Change,
  type Decision,
  FailureError,
  type Fingerprint,
  parseFingerprint,
  type RunRecord,
  type Stage,
  type StageAddress,
} from '@dag/model';
import { cachedIn } from './cached.ts';
import { compareInputs } from './changes.ts';
import { decide, uncacheable } from './decide.ts';
import type { Explanation } from './event.ts';
import { type PastRun, pastRuns } from './history/past.ts';
import { variationOf } from './history/results.ts';
import { type StageView, stagePaths, viewStage } from './observe-stage.ts';
import { Observer } from './observer.ts';
import type { Project } from './project.ts';
import { leftOf } from './run/checkpoints.ts';
import { runKey } from './run-key.ts';

/**
 * Says what would be done with stages and why: against the lock, and against the earlier run that is nearest to what
 * would run now, which needn't be the last.
 */
export async function explain(project: Project, stages: readonly Stage[]): Promise<Explanation[]> {
  const observer = new Observer(project);
  const order = withUpstream(project, stages);
  await observer.observe(order.flatMap(stagePaths));
  const wanted = new Set(stages);
  const decided = new Map<StageAddress, { readonly view: StageView; readonly decision: Decision }>();
  for (const stage of order) {
    const pending = project.pipeline
      .upstream(stage.address)
      .filter((address) => isUnsettled(decided.get(address)?.decision));
    const view = await viewStage(project, observer, stage, { pending });
    const { paramProblems, observed } = view;
    if (paramProblems.length > 0 && wanted.has(stage)) {
      throw new FailureError({ code: 'invalid-pipeline', diagnostics: paramProblems });
    }
    const decision = decide(stage, project.locks.stage(stage), observed, cachedIn(project.store));
    if (decision.kind === 'restore' && !wanted.has(stage)) observer.learn(decision.outs);
    decided.set(stage.address, { view, decision });
  }
  const records = groupRecords(project, wanted);
  return stages.flatMap((stage) => {
    const known = decided.get(stage.address);
    return known === undefined ? [] : [explanationOf(project, stage, known, records.get(stage.address) ?? [])];
  });
}

function explanationOf(
  project: Project,
  stage: Stage,
  { view, decision }: { readonly view: StageView; readonly decision: Decision },
  records: readonly RunRecord[],
): Explanation {
  const { observed } = view;
  let nearest: { record: RunRecord; changes: readonly Change[] } | undefined;
  for (const record of records) {
    const earlier = parseFingerprint(record.fingerprint);
    if (earlier === undefined) continue;
    const changes = compareInputs(earlier, observed.fingerprint, observed.declared);
    if (nearest === undefined || isNearer(changes, record, nearest)) nearest = { record, changes };
  }
  const variation = variationOf(project.store.runs.find(runKey(observed.fingerprint)));
  const outside = uncacheable(stage);
  const last = isUnsettled(decision) ? pastRuns(project, (address) => address === stage.address)[0] : undefined;
  const left = decision.kind === 'run' ? leftOf(project.root, stage, runKey(observed.fingerprint)) : undefined;
  return {
    stage: stage.address,
    decision,
    ...(nearest === undefined ? {} : { nearest }),
    ...(last === undefined || !WITHOUT_RESULT.has(last.result) ? {} : { unfinished: last }),
    ...(left === undefined ? {} : { left }),
    ...(variation === undefined ? {} : { variation }),
    ...(outside === undefined ? {} : { uncacheable: outside }),
    unchanged: unchangedOf(observed.fingerprint, 'changes' in decision ? decision.changes : []),
  };
}

const WITHOUT_RESULT: ReadonlySet<PastRun['result']> = new Set(['failed', 'cancelled', 'killed', 'running']);

/** All that was compared, less what differs; a dep, key, variable or out by its name. */
function unchangedOf(now: Fingerprint, changes: readonly Change[]): Explanation['unchanged'] {
  const changed = new Set(
    changes.flatMap((change) => {
      if (change.changed === 'dep' || change.changed === 'out') return [`${change.changed} ${change.path}`];
      if (change.changed === 'param') return [`param ${change.file}:${change.key}`];
      return change.changed === 'env' ? [`env ${change.name}`] : [];
    }),
  );
  // What never ran was compared with nothing.
  const nothing = changes.some((change) => change.changed === 'never-run');
  const equal = (kind: string, names: Iterable<string>): string[] =>
    nothing ? [] : [...names].filter((name) => !changed.has(`${kind} ${name}`));
  const params = [...now.params].flatMap(([file, values]) => [...values.keys()].map((key) => `${file}:${key}`));
  return {
    deps: equal('dep', now.deps.keys()),
    params: equal('param', params),
    env: equal('env', now.env.keys()),
    outs: equal('out', now.outs),
  };
}

/** The stages and all above them, upstream first. What a frozen stage is made from has no say. */
function withUpstream(project: Project, stages: readonly Stage[]): Stage[] {
  const reached = new Set<StageAddress>();
  const left = stages.map(({ address }) => address);
  for (let address = left.pop(); address !== undefined; address = left.pop()) {
    if (reached.has(address)) continue;
    reached.add(address);
    left.push(...project.pipeline.upstream(address));
  }
  return project.pipeline.order.flatMap((address) => {
    const stage = reached.has(address) ? project.pipeline.stages.get(address) : undefined;
    return stage === undefined ? [] : [stage];
  });
}

function isUnsettled(decision: Decision | undefined): boolean {
  return decision?.kind === 'run' || decision?.kind === 'undecided';
}

function groupRecords(project: Project, wanted: ReadonlySet<Stage>): Map<StageAddress, RunRecord[]> {
  const found = new Map<StageAddress, RunRecord[]>([...wanted].map(({ address }) => [address, []]));
  for (const record of project.store.runs.list()) found.get(record.stage)?.push(record);
  return found;
}

function isNearer(
  changes: readonly Change[],
  record: RunRecord,
  nearest: NonNullable<Explanation['nearest']>,
): boolean {
  const difference = changes.length - nearest.changes.length;
  return difference < 0 || (difference === 0 && record.startedAt > nearest.record.startedAt);
}
