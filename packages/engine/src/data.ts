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
import { holderText, type LockOptions } from '@dag/workspace';
import { lockChangedToo, missingData, notFollowed, partOnly, type Said } from './data-problems.ts';
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
  /** For paths that another process holds; else that is a failure. */
  readonly wait: boolean;
  readonly fetcher?: Fetcher | undefined;
  readonly signal: AbortSignal;
  emit(event: ReproEvent): void;
}

/** The tracked data that these stages read. Of a folder that is here in part, it does to have what they read of it. */
export function dataOf(
  project: Pick<Project, 'root' | 'pipeline' | 'partial'>,
  stages: Iterable<Stage>,
): TrackedData[] {
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
 * changed its entry follows that. Waits for other processes that use what is to be placed, or place what is to be recorded.
 * @returns a failure for each that is nowhere to be had, or would be lost.
 */
export async function settleData(
  project: Project,
  observer: Observer,
  data: readonly TrackedData[],
  options: DataOptions,
): Promise<Diagnostic[]> {
  for (let work = await findWork(project, observer, data, options); ; ) {
    const [write, read] = [pathsOf(work.entry, work.gone), pathsOf(work.data, work.both)];
    if (!options.dry && work.touched.size > 0) await project.settled(work.touched);
    if (write.length + read.length === 0) return [];
    if (options.dry) return await settle(project, observer, work, options);
    const release = await project.workspace.acquire({ read, write, purpose: 'dag repro' }, waiting(options));
    try {
      // Who held them may have done it.
      observer.forget([...write, ...read]);
      work = await findWork(project, observer, data, options);
      const isHeld = pathsOf(work.entry, work.gone).every((path) => write.includes(path));
      if (isHeld && pathsOf(work.data, work.both).every((path) => read.includes(path) || write.includes(path))) {
        return await settle(project, observer, work, options);
      }
    } finally {
      release();
    }
  }
}

/** What is to be done, by what changed; `gone` is to come back. */
interface Work extends Readonly<Record<WhatChanged | 'gone', readonly TrackedData[]>> {
  readonly seen: ReadonlyMap<ProjectPath, Artifact | undefined>;
  /** What was written since it last was as its entry says, and is so still, or again. */
  readonly touched: ReadonlyMap<ProjectPath, Artifact>;
  /** See `LastKnown`. */
  readonly placing: ReadonlySet<ProjectPath>;
}

const pathsOf = (...lists: readonly (readonly TrackedData[])[]): ProjectPath[] => lists.flat().map(({ path }) => path);

function waiting({ wait, signal, emit }: DataOptions): LockOptions {
  return {
    wait,
    signal,
    onWait: (holder) => emit({ event: 'waiting', message: `waiting for ${holderText(holder)}` }),
  };
}

async function findWork(
  project: Project,
  observer: Observer,
  data: readonly TrackedData[],
  { needed }: DataOptions,
): Promise<Work> {
  const seen = await observer.observe(data.map((entry) => entry.path));
  const changed = { data: [], entry: [], both: [], gone: [] } as Record<WhatChanged | 'gone', TrackedData[]>;
  const touched = new Map<ProjectPath, Artifact>();
  let known: LastKnown | undefined;
  for (const entry of data) {
    const { path } = entry;
    const state = { path, seen: seen.get(path), locked: project.locks.data(entry) };
    const isGone = state.seen === undefined;
    known ??= project.lastKnown();
    if (state.seen !== undefined && sameArtifact(state.seen, state.locked)) {
      const last = known.agreed.get(path);
      if (last !== undefined && (observer.writtenAt(path) ?? 0) > last.at) touched.set(path, state.seen);
    } else if (!isGone && !isPart(project, known, path)) changed[await whatChanged(project, state, known)].push(entry);
    else if (needed.has(entry)) changed.gone.push(entry);
  }
  return { ...changed, seen, touched, placing: known?.placing ?? new Set() };
}

function isPart({ partial }: Project, { placing }: LastKnown, path: ProjectPath): boolean {
  return partial.has(path) && !placing.has(path);
}

async function settle(
  project: Project,
  observer: Observer,
  { seen, placing, ...work }: Work,
  options: DataOptions,
): Promise<Diagnostic[]> {
  const problems: Diagnostic[] = [];
  let places: Places | undefined;
  const fail = (entry: TrackedData, said: Said): void => {
    places ??= findPlaces(project.reader);
    problems.push({ code: 'missing-dep', ...(places.data(entry.path) ?? { file: entry.file }), ...said });
  };
  const outcomes = await bringBack(project, observer, [...work.entry, ...work.gone], options);
  const isBack = (entry: TrackedData, how: 'followed' | 'restored'): boolean => {
    const artifact = project.locks.data(entry);
    if (artifact === undefined || outcomes.get(entry) !== 'there') return false;
    options.emit({ event: 'data', path: entry.path, artifact, how });
    return true;
  };
  for (const entry of work.entry) {
    if (isBack(entry, 'followed')) continue;
    fail(entry, notFollowed(entry, outcomes.get(entry) === 'refused', placing.has(entry.path)));
  }
  for (const entry of work.gone) {
    const locked = project.locks.data(entry);
    if (isBack(entry, 'restored') || (options.allowMissing && locked !== undefined)) continue;
    const isHere = seen.get(entry.path) !== undefined;
    fail(entry, isHere ? partOnly(entry, outcomes.get(entry) === 'refused') : missingData(entry, locked));
  }
  // Nothing is recorded in a run that can't begin.
  const news = [...work.data, ...work.both];
  if (problems.length === 0 && news.length > 0) {
    if (options.dry) for (const { path } of news) sayRecorded(options, path, seen.get(path));
    else await holding(project.store, () => recordData(project, observer, news, options));
    for (const { path } of work.both) options.emit({ event: 'warning', ...lockChangedToo(path) });
  }
  return problems;
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
