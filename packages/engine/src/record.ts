import { type Artifact, fingerprintText, type ProjectPath, type RunRecord, type Stage } from '@dag/model';
import { usesRunCache } from './decide.ts';
import type { StageView } from './observe-stage.ts';
import { lockedStage } from './observe-stage.ts';
import type { Project } from './project.ts';
import { runKey } from './run-key.ts';

/** What a finished run leaves behind, beside the objects themselves. */
export interface Finished {
  readonly view: StageView;
  readonly outs: ReadonlyMap<ProjectPath, Artifact>;
  /** Undefined where no record is to be kept. */
  readonly run?: {
    readonly startedAt: Date;
    readonly seconds: number;
    readonly context: Readonly<Record<string, string | number | boolean>>;
  };
}

/** Makes a result durable, in this order: run record, .gitignore, lock. The objects are in the store already. */
export async function recordResult(project: Project, stage: Stage, finished: Finished): Promise<void> {
  const { fingerprint } = finished.view.observed;
  if (finished.run !== undefined && usesRunCache(stage)) {
    const record: RunRecord = {
      schema: 1,
      key: runKey(fingerprint),
      stage: stage.address,
      fingerprint: fingerprintText(fingerprint),
      outs: finished.outs,
      startedAt: finished.run.startedAt.toISOString(),
      seconds: finished.run.seconds,
      context: { ...project.context(), ...finished.run.context },
    };
    project.store.runs.put(record);
  }
  const cached = stage.outs.filter((out) => out.cache).map((out) => out.path);
  await project.locks.exclusively(() => project.workspace.updateGitignore({ add: cached, remove: [] }));
  const entry = lockedStage(stage, fingerprint, finished.outs);
  await project.locks.update(stage.file, { stages: new Map([[stage.name, entry]]) });
}
