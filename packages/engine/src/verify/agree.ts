import fs from 'node:fs';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  type Change,
  type Dep,
  type Diagnostic,
  FailureError,
  isExternal,
  type LockedStage,
  type ProjectPath,
  resolveAnyPath,
  type Stage,
  type StageAddress,
  sameArtifact,
  type TrackedData,
} from '@dag/model';
import { globTest } from '@dag/pipeline';
import { type Cached, decide, outChanges } from '../decide.ts';
import { stagePaths, viewStage } from '../observe-stage.ts';
import { Observer } from '../observer.ts';
import type { Project } from '../project.ts';
import { type BrokenLink, linksOf, withAbsentMatches } from './chain.ts';
import { knownInside } from './inside.ts';
import { Owners } from './owners.ts';

/** Whether a stage is as pipeline.lock says. */
export interface StageAgreement {
  readonly stage: Stage;
  /**
   * `agrees`: it would not run. `frozen`: it never runs, and its outs are as locked. `unlocked`: the lock has no entry.
   * `stale`: it would run. `undecided`: it might, since a stage above it would.
   */
  readonly verdict: 'agrees' | 'frozen' | 'unlocked' | 'stale' | 'undecided';
  readonly changes: readonly Change[];
  /** Deps that are not what made them, by the locks. */
  readonly broken: readonly BrokenLink[];
  /** Stages above it that would run. */
  readonly upstream: readonly StageAddress[];
  /** Deps that nothing here can tell of. */
  readonly unknown: readonly AnyPath[];
}

export interface DataAgreement {
  readonly data: TrackedData;
  readonly verdict: 'agrees' | 'unlocked' | 'stale';
  readonly changes: readonly Change[];
}

/** Entries of one pipeline.lock that nothing in pipeline.yaml stands for. */
export interface LeftOver {
  /** The pipeline.yaml that the lock belongs to. */
  readonly file: ProjectPath;
  readonly stages: readonly string[];
  readonly data: readonly ProjectPath[];
}

export interface Agreement {
  readonly stages: readonly StageAgreement[];
  readonly data: readonly DataAgreement[];
  readonly leftOver: readonly LeftOver[];
}

/** Nothing comes from a cache or an earlier run: what is asked is whether there is anything to do. */
const NO_CACHE: Cached = { complete: () => false, runs: () => [] };

/**
 * Says whether pipeline files, locks and what stands in the workspace agree, so that nothing would run. What is made or
 * tracked may be absent: it is taken for what the locks say. Reads only, waits for no other process, and needs nothing of the
 * cache. Throws where a lock or a params file is broken.
 */
export async function agreement(
  opened: Project,
  stages: readonly Stage[],
  data: readonly TrackedData[],
): Promise<Agreement> {
  const project = { ...opened, locks: opened.locks.once() };
  project.locks.require([...project.pipeline.stages.values()]);
  const observer = new Observer(project);
  const seen = await observer.observe([...stages.flatMap(stagePaths), ...data.map((entry) => entry.path)]);
  const looked: Looked = { project, observer, owners: new Owners(project), willRun: new Set(), problems: [] };
  const agreements: StageAgreement[] = [];
  for (const stage of inOrder(project, stages)) agreements.push(await stageAgreement(looked, stage));
  // A params file that can't be read is no param that was deleted.
  if (looked.problems.length > 0) {
    throw new FailureError({ code: 'invalid-pipeline', diagnostics: [...new Set(looked.problems)] });
  }
  return {
    stages: agreements,
    data: data.map((entry) => dataAgreement(project, entry, seen.get(entry.path))),
    leftOver: project.pipeline.files.flatMap((file) => leftOver(project, file)),
  };
}

interface Looked {
  readonly project: Project;
  readonly observer: Observer;
  readonly owners: Owners;
  /** Stages whose inputs are not as locked. */
  readonly willRun: Set<StageAddress>;
  readonly problems: Diagnostic[];
}

async function stageAgreement(looked: Looked, declared: Stage): Promise<StageAgreement> {
  const { project, owners, willRun } = looked;
  const locked = project.locks.stage(declared);
  const none = { stage: declared, changes: [], broken: [], upstream: [], unknown: [] };
  if (locked === undefined) {
    willRun.add(declared.address);
    return { ...none, verdict: 'unlocked' };
  }
  if (declared.frozen) {
    const { observed } = await viewStage(project, looked.observer, declared);
    const changes = outChanges(declared, locked, observed, true);
    return { ...none, verdict: changes.length > 0 ? 'stale' : 'frozen', changes };
  }
  const isAbsent = (path: AnyPath): boolean => {
    const owner = owners.around(path);
    return owner !== undefined && !exists(project, owner.path);
  };
  const stage = withAbsentMatches(declared, locked, globsOf(declared), isAbsent);
  const { broken, unknown } = linksOf(project.store, owners, stage, locked);
  const upstream = project.pipeline.upstream(stage.address).filter((address) => willRun.has(address));
  const found = await changesOf(looked, stage, locked, { upstream, broken });
  const { changes } = found;
  if (broken.length > 0 || changes.some(({ changed }) => changed !== 'out')) willRun.add(stage.address);
  const isStale = changes.length > 0 || broken.length > 0;
  return {
    stage: declared,
    verdict: isStale ? 'stale' : upstream.length > 0 ? 'undecided' : 'agrees',
    changes,
    broken,
    upstream,
    unknown: [...new Set([...unknown, ...found.unknown])].sort(),
  };
}

/** How a stage differs from its entry, and what of it can't be told for what is not here. */
async function changesOf(
  { project, observer, owners, problems }: Looked,
  stage: Stage,
  locked: LockedStage,
  { upstream, broken }: { readonly upstream: readonly StageAddress[]; readonly broken: readonly BrokenLink[] },
): Promise<Pick<StageAgreement, 'changes' | 'unknown'>> {
  const unknown: AnyPath[] = [];
  const view = await viewStage(project, observer, stage, {
    pending: upstream,
    missing: (path) => absentDep(project, owners, path, locked),
  });
  problems.push(...view.paramProblems);
  const decision = decide(stage, locked, view.observed, NO_CACHE, { allowMissing: true });
  const all = 'changes' in decision ? decision.changes : [];
  // A link that is broken is told with both entries that say so.
  const told = new Set(broken.map(({ path }) => path));
  const changes = all.filter((change) => {
    if (change.changed === 'dep') {
      const isAbsent = view.assumed.has(change.path) || change.how === 'deleted';
      if (isAbsent && told.has(change.path)) return false;
      if (change.how !== 'modified' || isAbsent) return true;
      // A folder that is here without what is made or tracked in it.
      if (owners.inside(change.path).every(({ path }) => exists(project, path))) return true;
      unknown.push(change.path);
      return false;
    }
    if (change.changed !== 'param' || change.how !== 'deleted' || exists(project, change.file)) return true;
    if ((owners.at(change.file) ?? owners.around(change.file)) === undefined) return true;
    unknown.push(change.file);
    return false;
  });
  for (const path of view.assumed.keys()) if (isExternal(path) && owners.at(path) === undefined) unknown.push(path);
  return { changes, unknown };
}

/** What to take an absent dep for; undefined for one that nothing makes, so that it is missed. */
function absentDep(project: Project, owners: Owners, path: AnyPath, locked: LockedStage): Artifact | undefined {
  const read = locked.deps.get(path);
  const owner = owners.at(path);
  if (owner !== undefined) return owner.artifact ?? read;
  const around = owners.around(path);
  if (around !== undefined) {
    const made = around.artifact && knownInside(project.store, around.artifact, path.slice(around.path.length + 1));
    return around.artifact === undefined || made === 'unknown' ? read : made;
  }
  return owners.inside(path).length > 0 || isExternal(path) ? read : undefined;
}

/** The deps of a stage that stand for a pattern, each with its test. */
function globsOf(stage: Stage): Map<Dep, (path: string) => boolean> {
  const globs = new Map<Dep, (path: string) => boolean>();
  for (const dep of stage.deps) {
    const pattern = dep.pattern === undefined ? dep.path : resolveAnyPath(stage.wdir, dep.pattern);
    if (pattern === undefined || !/[*?[]/.test(pattern)) continue;
    const test = globTest(pattern);
    globs.set(dep, (path) => test.test(path));
  }
  return globs;
}

function dataAgreement(project: Project, data: TrackedData, after: Artifact | undefined): DataAgreement {
  const { path } = data;
  const before = project.locks.data(data);
  if (before === undefined) return { data, verdict: 'unlocked', changes: [] };
  const isSound = after === undefined || project.partial.has(path) || sameArtifact(before, after);
  if (isSound) return { data, verdict: 'agrees', changes: [] };
  return { data, verdict: 'stale', changes: [{ changed: 'data', path, how: 'modified', before, after }] };
}

function leftOver(project: Project, file: ProjectPath): LeftOver[] {
  const { stages, data } = project.locks.stale(file, project.pipeline);
  return stages.size + data.size === 0 ? [] : [{ file, stages: [...stages.keys()], data: [...data.keys()] }];
}

/** Upstream first. */
function inOrder({ pipeline }: Project, stages: readonly Stage[]): Stage[] {
  const wanted = new Set(stages);
  return pipeline.order.flatMap((address) => {
    const stage = pipeline.stages.get(address);
    return stage !== undefined && wanted.has(stage) ? [stage] : [];
  });
}

function exists(project: Project, path: AnyPath): boolean {
  return fs.existsSync(absolutePath(project.root, path));
}
