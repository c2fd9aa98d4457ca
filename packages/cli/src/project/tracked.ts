import fs from 'node:fs';
import path from 'node:path';
import type { Project } from '@dag/engine';
import {
  type AnyPath,
  type Artifact,
  absolutePath,
  FailureError,
  isWithin,
  type ObjectFailure,
  type ProjectPath,
  type Stage,
  type TrackedData,
} from '@dag/model';
import { selectStages } from '@dag/pipeline';
import { artifactInside } from '@dag/store';
import { pipelineFileHere } from './edit.ts';
import type { OpenProject } from './open.ts';
import { toProjectPath } from './root.ts';

/** A path whose content the cache is to hold, or an out that it is not to. */
export type Tracked = CachedPath | UncachedOut;

export interface CachedPath extends TrackedFlags {
  readonly path: ProjectPath;
  readonly cache: true;
}

interface UncachedOut extends TrackedFlags {
  readonly path: AnyPath;
  readonly cache: false;
}

interface TrackedFlags {
  /** Whose it is, in the user's words. */
  readonly owner: Stage | TrackedData;
  readonly kind: 'out' | 'data';
  readonly push: boolean;
  readonly remote?: string | undefined;
  /** What the lock says that it is; undefined where it says nothing. The lock is read when this is first asked for. */
  readonly artifact: Artifact | undefined;
}

/** What a target names: a tracked path, or something inside one. */
export interface Picked {
  readonly tracked: Tracked;
  /** The path inside the tracked folder; undefined for all of it. */
  readonly inside?: string;
}

/** Everything that the project tracks, in the order of stages and data. */
export function allTracked(project: Project): Tracked[] {
  return [
    ...[...project.pipeline.stages.values()].flatMap((stage) => outsOf(project, stage)),
    ...project.pipeline.data.map((data) => trackedData(project, data)),
  ];
}

export function outsOf(project: Project, stage: Stage): Tracked[] {
  return stage.outs.map((out): Tracked => {
    const { push, remote } = out;
    const rest = { owner: stage, kind: 'out', push, remote } as const;
    const find = () => project.locks.stage(stage)?.outs.get(out.path);
    if (out.cache) return withArtifact({ path: out.path, cache: true, ...rest } as const, find);
    return withArtifact({ path: out.path, cache: false, ...rest } as const, find);
  });
}

export function trackedData(project: Project, data: TrackedData): CachedPath {
  const { path, push, remote } = data;
  return withArtifact({ path, owner: data, kind: 'data', cache: true, push, remote } as const, () =>
    project.locks.data(data),
  );
}

function withArtifact<T>(item: T, find: () => Artifact | undefined): T & { readonly artifact: Artifact | undefined } {
  let found: { readonly artifact: Artifact | undefined } | undefined;
  return {
    ...item,
    get artifact() {
      found ??= { artifact: find() };
      return found.artifact;
    },
  };
}

export interface PickOptions {
  /** Also everything upstream of the stages that are picked. */
  readonly withDeps?: boolean;
  /** A target may be a folder that holds tracked paths. */
  readonly recursive?: boolean;
}

/** What the targets of a verb name. */
export interface Pick {
  readonly items: readonly Picked[];
  /** The stages that were named, by themselves or by an out. */
  readonly stages: ReadonlySet<Stage>;
}

/** The tracked paths that targets name: see `pick`. */
export function pickTracked(project: OpenProject, targets: readonly string[], options: PickOptions = {}): Picked[] {
  return [...pick(project, targets, options).items];
}

/**
 * What the targets of a verb name: stages (all their outs), groups, tracked paths, paths inside them. All that is tracked
 * where there are no targets. No item lies in another. Throws a FailureError of code `usage` for a target that names nothing.
 */
export function pick(project: OpenProject, targets: readonly string[], options: PickOptions = {}): Pick {
  const all = allTracked(project);
  if (targets.length === 0) {
    return { items: all.map((tracked) => ({ tracked })), stages: new Set(project.pipeline.stages.values()) };
  }
  const picked = new Map<string, Picked>();
  const add = (item: Picked): void => void picked.set(`${item.tracked.path}\0${item.inside ?? ''}`, item);
  const stages = new Set<Stage>();
  for (const target of targets) {
    const byPath = pickByPath(project, all, target, options.recursive ?? false);
    for (const item of byPath) {
      add(item);
      if (item.tracked.kind === 'out') stages.add(item.tracked.owner as Stage);
    }
    if (byPath.length > 0) continue;
    for (const stage of stagesNamed(project, target)) {
      stages.add(stage);
      for (const tracked of outsOf(project, stage)) add({ tracked });
    }
  }
  if (options.withDeps === true) for (const tracked of upstreamOf(project, stages)) add({ tracked });
  const items = [...picked.values()];
  return { items: items.filter((item) => !items.some((other) => holds(other, item))), stages };
}

function stagesNamed(project: OpenProject, target: string): Stage[] {
  const selected = selectStages(project.pipeline, [target], { single: true }, project.cwd);
  if (!selected.ok) throw new FailureError(selected.error);
  if (selected.value.length > 0) return selected.value.flatMap((address) => project.pipeline.stages.get(address) ?? []);
  throw new FailureError({ code: 'usage', message: `there is no '${target}' in what is tracked` });
}

/** Whether one item lies inside another of the same tracked path. */
function holds(outer: Picked, inner: Picked): boolean {
  if (outer === inner || outer.tracked.path !== inner.tracked.path || inner.inside === undefined) return false;
  return outer.inside === undefined || inner.inside.startsWith(`${outer.inside}/`);
}

/** Failures as the user is told of them, in one. */
export function objectsFailure(verb: string, failed: readonly ObjectFailure[], hint?: string): FailureError {
  const some = failed.length === 1 ? '1 object' : `${failed.length} objects`;
  const message = `${verb}: ${some} could not be had`;
  return new FailureError({ code: 'objects-failed', message, failed, ...(hint === undefined ? {} : { hint }) });
}

function pickByPath(project: OpenProject, all: readonly Tracked[], target: string, recursive: boolean): Picked[] {
  const wanted = toProjectPath(project.root, path.join(project.root, project.cwd), target);
  if (wanted === undefined) return [];
  // A stage's name wins over a path that reads the same; `./name` is always the path.
  const isName = /^[^./][^/]*$/.test(target) && isStageHere(project, target);
  if (isName) return [];
  const items: Picked[] = [];
  for (const tracked of all) {
    if (tracked.path === wanted || (recursive && isWithin(wanted, tracked.path))) items.push({ tracked });
    else if (isWithin(tracked.path, wanted)) {
      const inside = wanted.slice(tracked.path.length + 1);
      if (mayHold(project, tracked, wanted, inside)) items.push({ tracked, inside });
    }
  }
  return items;
}

/** Whether the pipeline.yaml of the user's folder has a stage of this name. */
function isStageHere(project: OpenProject, name: string): boolean {
  const file = pipelineFileHere(project);
  return [...project.pipeline.stages.values()].some((stage) => stage.name === name && stage.file === file);
}

/** Whether a tracked folder holds a path, in the workspace or by its trees; yes where they are not here to be asked. */
function mayHold(project: Project, { artifact }: Tracked, wanted: ProjectPath, inside: string): boolean {
  if (fs.lstatSync(absolutePath(project.root, wanted), { throwIfNoEntry: false }) !== undefined) return true;
  if (artifact === undefined) return false;
  try {
    return artifactInside(project.store, artifact, inside) !== undefined;
  } catch {
    return true;
  }
}

function* upstreamOf(project: Project, stages: Iterable<Stage>): Generator<Tracked> {
  const seen = new Set<string>();
  const queue = [...stages];
  for (let stage = queue.pop(); stage !== undefined; stage = queue.pop()) {
    for (const data of project.pipeline.data) {
      const { path } = data;
      if (stage.deps.some((dep) => isWithin(path, dep.path) || isWithin(dep.path, path)))
        yield trackedData(project, data);
    }
    for (const address of project.pipeline.upstream(stage.address)) {
      if (seen.has(address)) continue;
      seen.add(address);
      const upstream = project.pipeline.stages.get(address);
      if (upstream === undefined) continue;
      queue.push(upstream);
      yield* outsOf(project, upstream);
    }
  }
}
