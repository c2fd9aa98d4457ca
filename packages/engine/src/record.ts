import {
  type AnyPath,
  type Artifact,
  FailureError,
  groupBy,
  insideOuts,
  type LockedStage,
  type RunRecord,
  type Stage,
} from '@dag/model';
import type { Hold } from '@dag/store';
import { usesRunCache, whyAlways } from './decide.ts';
import { hasResultSince } from './history/journal.ts';
import type { StageView } from './observe-stage.ts';
import { lockedStage } from './observe-stage.ts';
import type { Project } from './project.ts';
import { nameFingerprint } from './run-key.ts';

/** What a finished run leaves behind, beside the objects themselves. */
export interface Finished {
  readonly stage: Stage;
  readonly view: StageView;
  readonly outs: ReadonlyMap<AnyPath, Artifact>;
  /** Undefined where no record is to be kept. */
  readonly run?: RunFacts;
}

/** What a run record says of the run itself. */
export interface RunFacts {
  readonly startedAt: Date;
  readonly seconds: number;
  readonly context: Readonly<Record<string, string | number | boolean>>;
}

/** Makes results durable, in this order: run records, .gitignore, lock. The objects are in the store already. */
export async function recordResults(project: Project, results: readonly Finished[]): Promise<void> {
  for (const result of results) await keepListings(project, result);
  await project.store.runs.putAll(recordsOf(project, results));
  await ignoreOuts(
    project,
    results.map(({ stage }) => stage),
  );
  for (const [file, ofFile] of groupBy(results, ({ stage }) => stage.file)) {
    await project.locks.update(file, { stages: new Map(ofFile.map((result) => entryOf(project, result))) });
  }
}

/**
 * Writes a result, of one stage of many, into the lock. Where a run record keeps it, or the stage runs again in any case,
 * that may be a moment later: `LockBook.flush` is the caller's.
 * @param hold ends when it is on disk; where this throws, it is still the caller's.
 */
export async function recordInLock(
  project: Project,
  result: Finished,
  hold: Hold | undefined,
  kept: boolean,
): Promise<void> {
  const { stage } = result;
  const entries = new Map([entryOf(project, result)]);
  const canWait = (kept || whyAlways(stage) !== undefined) && !stage.frozen;
  if (canWait) {
    const madeAt = project.clock();
    const superseded = (): boolean => hasResultSince(project.root, stage.address, madeAt);
    await project.locks.updateSoon(stage.file, entries, { written: hold?.end, superseded });
  } else {
    await project.locks.update(stage.file, { stages: entries });
    hold?.end();
  }
}

/** Keeps what folders among the deps consisted of, so that `why` can name the files that changed. A result does without. */
export async function keepListings({ store, workspace }: Project, { view, run }: Finished): Promise<void> {
  if (run === undefined) return;
  const unknown = [...view.observed.fingerprint.deps].filter(
    ([, artifact]) => artifact.kind === 'folder' && !store.has(artifact.digest),
  );
  if (unknown.length === 0) return;
  try {
    await workspace.keepListings(unknown.map(([path]) => path));
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
  }
}

/** Each made when it is written: thousands of them are large together. */
function* recordsOf(project: Project, results: readonly Finished[]): Iterable<RunRecord> {
  for (const result of results) {
    const record = recordOf(project, result);
    if (record !== undefined) yield record;
  }
}

/** The run record of a result; undefined where none is to be kept. */
export function recordOf(project: Project, { stage, view, outs, run }: Finished): RunRecord | undefined {
  if (run === undefined || !usesRunCache(stage)) return undefined;
  const { key, text } = nameFingerprint(view.observed.fingerprint);
  return {
    schema: 1,
    key,
    stage: stage.address,
    fingerprint: text,
    outs: insideOuts(outs),
    startedAt: run.startedAt.toISOString(),
    seconds: run.seconds,
    context: { ...project.context(), ...run.context },
  };
}

/** Keeps git from seeing the outs that the cache holds. */
export async function ignoreOuts(project: Project, stages: readonly Stage[]): Promise<void> {
  const cached = stages.flatMap((stage) => stage.outs.filter((out) => out.cache).map((out) => out.path));
  await project.locks.exclusively(() => project.workspace.updateGitignore({ add: cached, remove: [] }));
}

/** A frozen stage stays what it was made from, whatever stands there now. */
function entryOf(project: Project, { stage, view, outs }: Finished): readonly [string, LockedStage] {
  const locked = stage.frozen ? project.locks.stage(stage) : undefined;
  const entry = locked === undefined ? lockedStage(stage, view.observed.fingerprint, outs) : { ...locked, outs };
  return [stage.name, entry];
}
