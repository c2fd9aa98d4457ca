import type { AnyPath, Decision, Stage } from '@dag/model';
import { decide } from '../decide.ts';
import { type StageView, type ViewOptions, viewStage } from '../observe-stage.ts';
import type { ReproRun } from '../repro-run.ts';
import { lockedArtifact } from '../sources.ts';

/** What was seen of a stage, and what follows from it. */
export interface Decided {
  readonly view: StageView;
  readonly decision: Decision;
}

/** Looks at a stage whose upstream is settled, and decides. */
export async function decideNow(run: ReproRun, stage: Stage): Promise<Decided> {
  const upstream = run.project.pipeline.upstream(stage.address);
  const { allowMissing = false, force = false, forceDownstream = false, noRunCache = false } = run.options;
  const view = await viewStage(run.project, run.observer, stage, viewOptions(run, stage));
  const upstreamRan = upstream.some((address) => run.outcomes.get(address)?.kind === 'ran');
  const decision = decide(stage, run.project.locks.stage(stage), view.observed, run.cached, {
    noRunCache,
    allowMissing,
    ...(force ? { force: 'force' } : forceDownstream && upstreamRan ? { force: 'downstream' } : {}),
  });
  return { view, decision };
}

/** How a stage of this run is looked at. */
export function viewOptions(run: ReproRun, stage: Stage): ViewOptions {
  const upstream = run.project.pipeline.upstream(stage.address);
  const missing = (path: AnyPath) => lockedArtifact(run.project, path, stage);
  return {
    pending: upstream.filter((address) => run.outcomes.get(address)?.kind === 'planned'),
    ...(run.options.allowMissing === true ? { missing } : {}),
  };
}

/** Every file that a stage reads: deps, params files and modules. */
export function inputPaths(stage: Stage, view: StageView): AnyPath[] {
  const modules = view.observed.fingerprint.worker?.files.keys() ?? [];
  return [...stage.deps.map((dep) => dep.path), ...stage.params.map((params) => params.file), ...modules];
}
