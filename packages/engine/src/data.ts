import fs from 'node:fs';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  type Diagnostic,
  isWithin,
  overlaps,
  type Stage,
  sameArtifact,
  type TrackedData,
} from '@dag/model';
import { findPlaces, type Places } from '@dag/pipeline';
import { holding } from '@dag/store';
import type { ReproEvent } from './event.ts';
import type { Observer } from './observer.ts';
import type { Fetcher, Project } from './project.ts';

export interface DataOptions {
  /** Data that must be there; other data that is gone is left alone. */
  readonly needed: ReadonlySet<TrackedData>;
  readonly dry: boolean;
  readonly noCommit: boolean;
  readonly allowMissing: boolean;
  readonly fetcher?: Fetcher | undefined;
  readonly signal: AbortSignal;
  emit(event: ReproEvent): void;
}

/** The tracked data that these stages read. Of a folder that is here in part, it does to have what they read of it. */
export function dataOf(project: Project, stages: Iterable<Stage>): TrackedData[] {
  const deps = new Set<AnyPath>();
  for (const stage of stages) for (const dep of stage.deps) deps.add(dep.path);
  const isThere = (dep: AnyPath): boolean => fs.existsSync(absolutePath(project.root, dep));
  return project.pipeline.data.filter((data) =>
    [...deps].some((dep) => {
      const inside = dep !== data.path && isWithin(data.path, dep);
      return overlaps(dep, data.path) && !(inside && project.partial.has(data.path) && isThere(dep));
    }),
  );
}

/**
 * Brings tracked data and its lock entry together before stages run: what changed in the workspace is stored and recorded
 * anew, what is gone comes back from the cache, or from a remote where there is a fetcher. What nobody changed but git, which
 * has stopped in the middle of a merge, follows its entry: to record it would undo the merge.
 * @returns a failure for each that is nowhere to be had.
 */
export async function settleData(
  project: Project,
  observer: Observer,
  data: readonly TrackedData[],
  options: DataOptions,
): Promise<Diagnostic[]> {
  const problems: Diagnostic[] = [];
  let places: Places | undefined;
  const seen = await observer.observe(data.map((entry) => entry.path));
  const differs = (entry: TrackedData): boolean => !sameArtifact(seen.get(entry.path), project.locks.data(entry));
  const isPart = (entry: TrackedData): boolean => project.partial.has(entry.path) && differs(entry);
  const differing = data.filter((entry) => seen.get(entry.path) !== undefined && differs(entry) && !isPart(entry));
  const merged = differing.filter((entry) => isBehind(project, entry, seen.get(entry.path)));
  const changed = differing.filter((entry) => !merged.includes(entry));
  for (const entry of merged) {
    const locked = project.locks.data(entry);
    if (locked === undefined) continue;
    if (await bringBack(project, observer, entry, locked, options)) {
      options.emit({ event: 'data', path: entry.path, artifact: locked, how: 'merged' });
      continue;
    }
    places ??= findPlaces(project.reader);
    problems.push({ code: 'missing-dep', ...(places.data(entry.path) ?? { file: entry.file }), ...notMerged(entry) });
  }
  for (const entry of data) {
    if ((seen.get(entry.path) !== undefined && !isPart(entry)) || !options.needed.has(entry)) continue;
    const locked = project.locks.data(entry);
    const back = locked !== undefined && (await bringBack(project, observer, entry, locked, options));
    if (!back && !(options.allowMissing && locked !== undefined)) {
      places ??= findPlaces(project.reader);
      const place = places.data(entry.path) ?? { file: entry.file };
      problems.push({
        code: 'missing-dep',
        ...place,
        ...(isPart(entry) ? partOnly(entry) : missingData(entry, locked)),
      });
    }
  }
  // Nothing is recorded in a run that can't begin.
  if (problems.length === 0 && !options.dry && changed.length > 0) {
    await holding(project.store, () => recordData(project, observer, changed, options));
  }
  return problems;
}

/** Whether tracked data stands as its entry named it before git, in the middle of a merge or the like, changed the entry. */
function isBehind(project: Project, entry: TrackedData, seen: Artifact | undefined): boolean {
  return (
    seen !== undefined &&
    project.locks.data(entry) !== undefined &&
    project.lockedBefore(entry.path).some((before) => sameArtifact(before, seen))
  );
}

async function recordData(
  project: Project,
  observer: Observer,
  changed: readonly TrackedData[],
  options: DataOptions,
): Promise<void> {
  const paths = changed.map((entry) => entry.path);
  const work = { signal: options.signal };
  const artifacts = options.noCommit
    ? await project.workspace.observe(paths, work)
    : await project.workspace.commit(paths, work);
  for (const file of new Set(changed.map((entry) => entry.file))) {
    const entries = changed.filter((entry) => entry.file === file);
    const update = new Map(entries.map((entry) => [entry.path, artifacts.get(entry.path)]));
    await project.locks.update(file, { data: update });
  }
  for (const [at, artifact] of artifacts) {
    if (artifact === undefined) continue;
    observer.learn([[at, artifact]]);
    options.emit({ event: 'data', path: at, artifact, how: 'recorded' });
  }
}

async function bringBack(
  project: Project,
  observer: Observer,
  entry: TrackedData,
  locked: Artifact,
  options: DataOptions,
): Promise<boolean> {
  if (options.dry) {
    const comes = options.fetcher !== undefined || project.workspace.isComplete(locked);
    if (comes) observer.learn([[entry.path, locked]]);
    return comes;
  }
  if (!project.workspace.isComplete(locked)) {
    const fetched = await options.fetcher?.fetch([{ path: entry.path, artifact: locked }], options.signal);
    if (fetched !== true) return false;
  }
  const report = await project.workspace.checkout([{ path: entry.path, artifact: locked }], { signal: options.signal });
  observer.forget([entry.path]);
  return report.failed.length === 0 && report.refused.length === 0;
}

type Said = Pick<Diagnostic, 'message' | 'hint'>;

function partOnly(entry: TrackedData): Said {
  return {
    message: `of the tracked data '${entry.path}' only a part is here, and the cache lacks the rest`,
    hint: `get it with 'dag pull ${entry.path}'; or, if this part is all that it is to be, record it with 'dag add ${entry.path}'`,
  };
}

function notMerged(entry: TrackedData): Said {
  return {
    message: `tracked data '${entry.path}' is as it was before git merged pipeline.lock, and the cache lacks what that names now`,
    hint: `get it with 'dag pull ${entry.path}'; or, if it is to stay as it is, record it with 'dag add ${entry.path}'`,
  };
}

function missingData(entry: TrackedData, locked: Artifact | undefined): Said {
  return {
    message: `tracked data '${entry.path}' is not there${locked === undefined ? '' : ', and the cache lacks it too'}`,
    hint:
      locked === undefined
        ? `put it there, or take it out of ${entry.file} with 'dag remove ${entry.path}'`
        : "get it with 'dag pull', or run 'dag repro --pull'",
  };
}
