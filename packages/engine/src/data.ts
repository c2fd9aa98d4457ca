import fs from 'node:fs';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  type Diagnostic,
  isWithin,
  overlaps,
  type ProjectPath,
  type Stage,
  sameArtifact,
  type TrackedData,
} from '@dag/model';
import { findPlaces, type Places } from '@dag/pipeline';
import { holding } from '@dag/store';
import type { ReproEvent } from './event.ts';
import type { Observer } from './observer.ts';
import type { Fetcher, FetchItem, LastKnown, Project } from './project.ts';
import { type WhatChanged, whatChanged } from './what-changed.ts';

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
 * anew; what is gone comes back from the cache, or from a remote where there is a fetcher; what stands untouched while git
 * changed its entry follows that.
 * @returns a failure for each that is nowhere to be had, or would be lost.
 */
export async function settleData(
  project: Project,
  observer: Observer,
  data: readonly TrackedData[],
  options: DataOptions,
): Promise<Diagnostic[]> {
  const problems: Diagnostic[] = [];
  let places: Places | undefined;
  const fail = (entry: TrackedData, said: Said): void => {
    places ??= findPlaces(project.reader);
    problems.push({ code: 'missing-dep', ...(places.data(entry.path) ?? { file: entry.file }), ...said });
  };
  const seen = await observer.observe(data.map((entry) => entry.path));
  const differs = (entry: TrackedData): boolean => !sameArtifact(seen.get(entry.path), project.locks.data(entry));
  const known = data.some(differs) ? project.lastKnown() : NOTHING_KNOWN;
  const isPart = (entry: TrackedData): boolean =>
    project.partial.has(entry.path) && !known.placing.has(entry.path) && differs(entry);
  const isHere = (entry: TrackedData): boolean => seen.get(entry.path) !== undefined && !isPart(entry);
  const changed = { data: [], entry: [], both: [] } as Record<WhatChanged, TrackedData[]>;
  const differing = data.filter((entry) => isHere(entry) && differs(entry));
  for (const entry of differing) {
    const { path } = entry;
    const state = { path, seen: seen.get(path), locked: project.locks.data(entry) };
    changed[await whatChanged(project, state, known)].push(entry);
  }
  const gone = data.filter((entry) => !isHere(entry) && options.needed.has(entry));
  const outcomes = await bringBack(project, observer, [...changed.entry, ...gone], options);
  const isBack = (entry: TrackedData, how: 'followed' | 'restored'): boolean => {
    const artifact = project.locks.data(entry);
    if (artifact === undefined || outcomes.get(entry) !== 'there') return false;
    options.emit({ event: 'data', path: entry.path, artifact, how });
    return true;
  };
  for (const entry of changed.entry) {
    if (!isBack(entry, 'followed')) {
      fail(entry, notFollowed(entry, outcomes.get(entry) === 'refused', known.placing.has(entry.path)));
    }
  }
  for (const entry of gone) {
    const locked = project.locks.data(entry);
    if (isBack(entry, 'restored') || (options.allowMissing && locked !== undefined)) continue;
    fail(entry, isPart(entry) ? partOnly(entry, outcomes.get(entry) === 'refused') : missingData(entry, locked));
  }
  // Nothing is recorded in a run that can't begin.
  const news = [...changed.data, ...changed.both];
  if (problems.length === 0 && news.length > 0) {
    if (options.dry) for (const { path } of news) sayRecorded(options, path, seen.get(path));
    else await holding(project.store, () => recordData(project, observer, news, options));
    for (const { path } of changed.both) options.emit({ event: 'warning', ...lockChangedToo(path) });
  }
  return problems;
}

const NOTHING_KNOWN: LastKnown = { agreed: new Map(), placing: new Set() };

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
  const recorded = [...artifacts].flatMap(([at, artifact]) =>
    artifact === undefined ? [] : [[at, artifact] as const],
  );
  await project.settled(new Map(recorded));
  observer.learn(recorded);
  for (const [at, artifact] of recorded) sayRecorded(options, at, artifact);
}

function sayRecorded({ emit }: DataOptions, path: ProjectPath, artifact: Artifact | undefined): void {
  if (artifact !== undefined) emit({ event: 'data', path, artifact, how: 'recorded' });
}

/** What became of data that was to be put in place. `refused`: what stands there is nowhere in the cache. */
type Outcome = 'there' | 'lacking' | 'refused';

/** Puts data in place as the locks name it; what no lock names is left out. */
async function bringBack(
  project: Project,
  observer: Observer,
  entries: readonly TrackedData[],
  options: DataOptions,
): Promise<ReadonlyMap<TrackedData, Outcome>> {
  const items = entries.flatMap((entry) => {
    const artifact = project.locks.data(entry);
    return artifact === undefined ? [] : [{ entry, path: entry.path, artifact }];
  });
  const isLacking = ({ artifact }: FetchItem): boolean => !project.workspace.isComplete(artifact);
  const lacking = items.filter(isLacking);
  if (!options.dry && lacking.length > 0) await options.fetcher?.fetch(lacking, options.signal);
  const left = new Set(options.dry && options.fetcher !== undefined ? [] : lacking.filter(isLacking));
  const ready = items.filter((item) => !left.has(item));
  const outcomes = new Map<TrackedData, Outcome>([...left].map(({ entry }) => [entry, 'lacking']));
  if (ready.length === 0) return outcomes;
  const { failed, refused } = await project.workspace.checkout(ready, {
    dry: options.dry,
    signal: options.signal,
    beforePlacing: (paths) => project.placing(paths),
  });
  const mayFail = options.dry && options.fetcher !== undefined;
  for (const { entry, path } of ready) {
    const isLost = failed.some((one) => isWithin(path, one.path as ProjectPath)) && !mayFail;
    if (refused.some((one) => isWithin(path, one))) outcomes.set(entry, 'refused');
    else outcomes.set(entry, isLost ? 'lacking' : 'there');
  }
  const there = ready.filter(({ entry }) => outcomes.get(entry) === 'there');
  if (options.dry) {
    observer.learn(there.map(({ path, artifact }) => [path, artifact]));
  } else {
    observer.forget(ready.map(({ path }) => path));
    await project.settled(new Map(there.map(({ path, artifact }) => [path, artifact])));
  }
  return outcomes;
}

type Said = Pick<Diagnostic, 'message' | 'hint'>;

function partOnly({ path }: TrackedData, isRefused: boolean): Said {
  const message = `of the tracked data '${path}' only a part is here, and the cache lacks`;
  return isRefused
    ? {
        message: `${message} what was changed in it`,
        hint: `if it is to be as it is here, record it with 'dag add ${path}'; or give that up with 'dag checkout -f ${path}'`,
      }
    : {
        message: `${message} the rest`,
        hint: `get it with 'dag pull ${path}'; or, if this part is all that it is to be, record it with 'dag add ${path}'`,
      };
}

function notFollowed({ path }: TrackedData, isRefused: boolean, isHalfPlaced: boolean): Said {
  const state = isHalfPlaced
    ? `tracked data '${path}' was being put in place when that ended early`
    : `tracked data '${path}' is as it was before git changed pipeline.lock`;
  const message = `${state}, and the cache lacks`;
  const stays = `if it is to stay as it is, record it with 'dag add ${path}'`;
  return isRefused
    ? { message: `${message} what stands here`, hint: `${stays}; or give it up with 'dag checkout -f ${path}'` }
    : { message: `${message} what pipeline.lock names`, hint: `get it with 'dag pull ${path}'; or, ${stays}` };
}

function lockChangedToo(path: ProjectPath): Said {
  return {
    message: `'${path}' was changed here, and pipeline.lock had been changed too: what is here is recorded over that`,
    hint: `to have the other instead: 'git checkout pipeline.lock', then 'dag checkout ${path}'`,
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
