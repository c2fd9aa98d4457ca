import {
  type AnyPath,
  type Artifact,
  type Change,
  type Decision,
  type Fingerprint,
  insideOuts,
  isExternal,
  isInside,
  type LockedStage,
  type ProjectPath,
  type RunRecord,
  type Stage,
  type StageAddress,
  sameArtifact,
} from '@dag/model';
import { compareInputs, type Declared } from './changes.ts';

/** What stands in the workspace for one stage. */
export interface Observed {
  readonly fingerprint: Fingerprint;
  readonly declared: Declared;
  /** Each out as it stands; undefined for one that is absent. */
  readonly outs: ReadonlyMap<AnyPath, Artifact | undefined>;
  /** Upstream stages whose outs are about to change, so that what stands there says nothing yet. */
  readonly pending: readonly StageAddress[];
}

/** What the cache holds, asked only when it decides something. */
export interface Cached {
  /** Whether every object of the artifact is there. */
  complete(artifact: Artifact): boolean;
  /** Earlier runs with the key of this fingerprint, best first. */
  runs(fingerprint: Fingerprint): readonly RunRecord[];
}

/** What the user asked for that weighs in. */
export interface DecideOptions {
  /** Run it whatever is found, without the run cache. */
  readonly force?: 'force' | 'downstream';
  /** Take no result of an earlier run but the one in the lock. */
  readonly noRunCache?: boolean;
  /** An out that is absent counts as what the lock says it is. */
  readonly allowMissing?: boolean;
}

/**
 * What is to be done with a stage, and why: the one function behind `repro`, `--dry`, `status` and `why`, so that they
 * can't disagree. Pure: what it knows is in its arguments.
 */
export function decide(
  stage: Stage,
  locked: LockedStage | undefined,
  observed: Observed,
  cached: Cached,
  options: DecideOptions = {},
): Decision {
  if (stage.frozen) return decideFrozen(stage, locked, observed, cached, options);
  if (options.force !== undefined) return { kind: 'run', changes: [{ changed: 'forced', by: options.force }] };
  const inputs = inputChanges(stage, locked, observed);
  const outs = locked === undefined ? [] : outChanges(stage, locked, observed, options.allowMissing ?? false);
  const changes = [...inputs, ...outs];
  if (observed.pending.length > 0 && !always(inputs)) {
    return { kind: 'undecided', upstream: observed.pending, changes };
  }
  if (changes.length === 0) return { kind: 'skip', reason: 'unchanged' };
  if (always(inputs)) return { kind: 'run', changes };
  if (inputs.length === 0 && locked !== undefined && outs.every(isInProject)) {
    const back = insideOuts(locked.outs);
    if (restorable(back.values(), cached)) return { kind: 'restore', from: { kind: 'lock' }, outs: back, changes };
  }
  const record = earlierRun(stage, observed, cached, options);
  if (record !== undefined) return { kind: 'restore', from: { kind: 'run', record }, outs: record.outs, changes };
  return { kind: 'run', changes };
}

/** The newest run with the same inputs whose outs can be had. */
function earlierRun(stage: Stage, observed: Observed, cached: Cached, options: DecideOptions): RunRecord | undefined {
  if (options.noRunCache === true || !usesRunCache(stage)) return undefined;
  return cached.runs(observed.fingerprint).find((run) => restorable(run.outs.values(), cached));
}

/** Why a stage runs every time, unless it is frozen: nothing that the lock says keeps it from that. */
export function whyAlways(stage: Stage): 'always_changed' | 'nothing-declared' | undefined {
  if (stage.alwaysChanged) return 'always_changed';
  const nothing = stage.deps.length === 0 && stage.params.length === 0 && stage.outs.length === 0;
  return nothing ? 'nothing-declared' : undefined;
}

/** How definition and inputs differ from the lock; `never-run` alone where there is no lock entry. */
export function inputChanges(stage: Stage, locked: LockedStage | undefined, observed: Observed): Change[] {
  const why = whyAlways(stage);
  if (why !== undefined) return [{ changed: 'always', why }];
  if (locked === undefined) return [{ changed: 'never-run' }];
  return compareInputs({ ...locked, wdir: locked.wdir ?? stageFolder(stage) }, observed.fingerprint, observed.declared);
}

/** How the outs in the workspace differ from those in the lock. */
export function outChanges(
  stage: Stage,
  locked: LockedStage,
  observed: Pick<Observed, 'outs'>,
  allowMissing: boolean,
): Change[] {
  const changes: Change[] = [];
  for (const { path } of stage.outs) {
    const [before, after] = [locked.outs.get(path), observed.outs.get(path)];
    if (before === undefined || sameArtifact(before, after)) continue;
    if (after !== undefined) changes.push({ changed: 'out', path, how: 'modified', before, after });
    else if (!allowMissing) changes.push({ changed: 'out', path, how: 'deleted', before });
  }
  return changes;
}

/** What keeps a stage out of the run cache. */
export type Uncacheable =
  | { readonly why: 'always-changed' | 'no-inputs' | 'no-outs' }
  | { readonly why: 'external-dep' | 'external-out' | 'persists' | 'not-cached'; readonly path: AnyPath };

/** Whether results of the stage are kept for, and taken from, the run cache. */
export function usesRunCache(stage: Stage): boolean {
  return uncacheable(stage) === undefined;
}

/**
 * Why results of the stage are not kept for the run cache: the same inputs needn't give the same result, or a part of the
 * result is kept nowhere. Undefined where they are.
 */
export function uncacheable(stage: Stage): Uncacheable | undefined {
  if (stage.alwaysChanged) return { why: 'always-changed' };
  if (stage.deps.length === 0 && stage.params.length === 0) return { why: 'no-inputs' };
  if (stage.outs.length === 0) return { why: 'no-outs' };
  const dep = stage.deps.find(({ path }) => isExternal(path));
  if (dep !== undefined) return { why: 'external-dep', path: dep.path };
  for (const { path, persist, cache, kind } of stage.outs) {
    if (persist) return { why: 'persists', path };
    if (!cache && isExternal(path)) return { why: 'external-out', path };
    if (!cache && kind === 'out') return { why: 'not-cached', path };
  }
  return undefined;
}

/** The outs whose content goes into the cache: those it is to hold, and all of a stage whose result it is to give back. */
export function keptOuts(stage: Stage): ProjectPath[] {
  const all = usesRunCache(stage);
  return stage.outs.flatMap((out) => (out.cache ? [out.path] : all && isInside(out.path) ? [out.path] : []));
}

/** The folder of the pipeline.yaml that declares the stage: where it runs unless it says otherwise. */
export function stageFolder(stage: Stage): ProjectPath {
  return stage.file.slice(0, Math.max(0, stage.file.lastIndexOf('/'))) as ProjectPath;
}

/** It never runs, forced or not. What is gone comes back; what stands there stays as it is, edited or not. */
function decideFrozen(
  stage: Stage,
  locked: LockedStage | undefined,
  observed: Observed,
  cached: Cached,
  options: DecideOptions,
): Decision {
  if (locked === undefined) {
    const record = observed.pending.length > 0 ? undefined : earlierRun(stage, observed, cached, options);
    if (record === undefined) return { kind: 'skip', reason: 'frozen' };
    const changes = inputChanges(stage, locked, observed);
    return { kind: 'restore', from: { kind: 'run', record }, outs: record.outs, changes };
  }
  const outs = outChanges(stage, locked, observed, options.allowMissing ?? false);
  const missing = outs.filter((change) => change.changed === 'out' && change.how === 'deleted').filter(isInProject);
  const inside = insideOuts(locked.outs);
  if (missing.length > 0 && restorable(inside.values(), cached)) {
    const gone = new Set(missing.map((change) => ('path' in change ? change.path : undefined)));
    const outs = new Map([...inside].filter(([path]) => gone.has(path)));
    return { kind: 'restore', from: { kind: 'lock' }, outs, changes: missing };
  }
  return { kind: 'skip', reason: 'frozen' };
}

function isInProject(change: Change): boolean {
  return change.changed !== 'out' || isInside(change.path);
}

function always(changes: readonly Change[]): boolean {
  return changes.some((change) => change.changed === 'always');
}

function restorable(outs: Iterable<Artifact>, cached: Cached): boolean {
  for (const artifact of outs) if (!cached.complete(artifact)) return false;
  return true;
}
