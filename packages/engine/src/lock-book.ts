import {
  type Artifact,
  EMPTY_LOCK,
  FailureError,
  joinPath,
  type Lock,
  type LockedStage,
  type ProjectPath,
  parentPath,
  type Stage,
  type TrackedData,
} from '@dag/model';
import { type Pipeline, parseLock, renderLock } from '@dag/pipeline';

/** Where the text of locks is. `stamp` changes whenever the file does; undefined where there is none. */
export interface LockFiles {
  read(path: ProjectPath): string | undefined;
  stamp(path: ProjectPath): string | undefined;
  /** Durable and atomic; an undefined text removes the file. */
  write(path: ProjectPath, text: string | undefined): void;
  /** Runs `update` while no other process, and nothing else in this one, writes locks, .gitignore or pipeline.yaml. */
  exclusively<T>(update: () => T): Promise<T>;
}

/** Changes to one lock: entries to set, and names whose entries go. */
export interface LockUpdate {
  readonly stages?: ReadonlyMap<string, LockedStage | undefined>;
  readonly data?: ReadonlyMap<ProjectPath, Artifact | undefined>;
}

/** All pipeline.lock files of a project, one beside each pipeline.yaml: read once, read again when another process wrote. */
export class LockBook {
  readonly #files: LockFiles;
  readonly #read = new Map<ProjectPath, { readonly stamp: string | undefined; readonly lock: Lock }>();
  /** Each lock as this process first saw it. */
  readonly #first = new Map<ProjectPath, Lock>();

  constructor(files: LockFiles) {
    this.#files = files;
  }

  /** The lock beside a pipeline.yaml. Throws a FailureError when it is damaged. */
  lock(pipelineFile: ProjectPath): Lock {
    const path = lockPath(pipelineFile);
    const stamp = this.#files.stamp(path);
    const known = this.#read.get(path);
    if (known !== undefined && known.stamp === stamp) return known.lock;
    const lock = parseText(this.#files.read(path), path);
    this.#read.set(path, { stamp, lock });
    if (!this.#first.has(path)) this.#first.set(path, lock);
    return lock;
  }

  stage(stage: Stage): LockedStage | undefined {
    return this.lock(stage.file).stages.get(stage.name);
  }

  data(data: TrackedData): Artifact | undefined {
    return this.lock(data.file).data.get(data.path);
  }

  /** Entries that were there when this process first looked, of stages and data that the pipeline does not have. */
  stale(pipelineFile: ProjectPath, pipeline: Pipeline): Lock {
    const now = this.lock(pipelineFile);
    const first = this.#first.get(lockPath(pipelineFile)) ?? EMPTY_LOCK;
    const known = knownEntries(pipelineFile, pipeline);
    return {
      stages: new Map([...now.stages].filter(([name]) => first.stages.has(name) && !known.stages.has(name))),
      data: new Map([...now.data].filter(([path]) => first.data.has(path) && !known.data.has(path))),
    };
  }

  /** Runs `update` while nobody else writes locks, .gitignore or pipeline.yaml of this project. */
  exclusively<T>(update: () => T): Promise<T> {
    return this.#files.exclusively(update);
  }

  /**
   * Writes entries into the lock beside a pipeline.yaml, over what stands there at that moment, and prunes what is stale.
   * Writes nothing where nothing changes.
   */
  async update(pipelineFile: ProjectPath, pipeline: Pipeline, update: LockUpdate): Promise<void> {
    const path = lockPath(pipelineFile);
    await this.#files.exclusively(() => {
      const before = this.lock(pipelineFile);
      const stale = this.stale(pipelineFile, pipeline);
      const after: Lock = {
        stages: merged(before.stages, update.stages, stale.stages),
        data: merged(before.data, update.data, stale.data),
      };
      const empty = after.stages.size === 0 && after.data.size === 0;
      const text = empty ? undefined : renderLock(after, path);
      if (text !== this.#files.read(path)) this.#files.write(path, text);
      this.#read.set(path, { stamp: this.#files.stamp(path), lock: after });
    });
  }
}

/** The pipeline.lock that belongs to a pipeline.yaml. */
export function lockPath(pipelineFile: ProjectPath): ProjectPath {
  return joinPath(parentPath(pipelineFile), 'pipeline.lock');
}

function parseText(text: string | undefined, path: ProjectPath): Lock {
  if (text === undefined) return EMPTY_LOCK;
  const parsed = parseLock(text, path);
  if (!parsed.ok) throw new FailureError({ code: 'invalid-pipeline', diagnostics: parsed.error });
  return parsed.value;
}

interface Entries {
  readonly stages: ReadonlySet<string>;
  readonly data: ReadonlySet<ProjectPath>;
}

/** Looked up for each stage that is recorded, so it is put together once a file. */
const entriesOf = new WeakMap<Pipeline, Map<ProjectPath, Entries>>();

function knownEntries(file: ProjectPath, pipeline: Pipeline): Entries {
  const files = entriesOf.get(pipeline) ?? new Map<ProjectPath, Entries>();
  entriesOf.set(pipeline, files);
  const before = files.get(file);
  if (before !== undefined) return before;
  const stages = new Set<string>();
  for (const stage of pipeline.stages.values()) if (stage.file === file) stages.add(stage.name);
  const data = new Set(pipeline.data.filter((entry) => entry.file === file).map((entry) => entry.path));
  files.set(file, { stages, data });
  return { stages, data };
}

function merged<K extends string, V>(
  before: ReadonlyMap<K, V>,
  update: ReadonlyMap<K, V | undefined> | undefined,
  stale: ReadonlyMap<K, V>,
): ReadonlyMap<K, V> {
  const after = new Map<K, V>();
  for (const [key, value] of before) if (!stale.has(key)) after.set(key, value);
  for (const [key, value] of update ?? []) {
    if (value === undefined) after.delete(key);
    else after.set(key, value);
  }
  return after;
}
