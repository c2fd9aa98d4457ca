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
  /** Runs `update` while no other process writes this lock. */
  exclusively<T>(path: ProjectPath, update: () => T): Promise<T>;
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
    return lock;
  }

  stage(stage: Stage): LockedStage | undefined {
    return this.lock(stage.file).stages.get(stage.name);
  }

  data(data: TrackedData): Artifact | undefined {
    return this.lock(data.file).data.get(data.path);
  }

  /**
   * Writes entries into the lock beside a pipeline.yaml, over what stands there at that moment, and prunes entries of
   * stages and data that the pipeline no longer has. Writes nothing where nothing changes.
   */
  async update(pipelineFile: ProjectPath, pipeline: Pipeline, update: LockUpdate): Promise<void> {
    const path = lockPath(pipelineFile);
    const known = knownEntries(pipelineFile, pipeline);
    await this.#files.exclusively(path, () => {
      const before = this.lock(pipelineFile);
      const after: Lock = {
        stages: merged(before.stages, update.stages, known.stages),
        data: merged(before.data, update.data, known.data),
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

function knownEntries(file: ProjectPath, pipeline: Pipeline): { stages: Set<string>; data: Set<ProjectPath> } {
  const stages = new Set<string>();
  for (const stage of pipeline.stages.values()) if (stage.file === file) stages.add(stage.name);
  return { stages, data: new Set(pipeline.data.filter((data) => data.file === file).map((data) => data.path)) };
}

function merged<K extends string, V>(
  before: ReadonlyMap<K, V>,
  update: ReadonlyMap<K, V | undefined> | undefined,
  known: ReadonlySet<K>,
): ReadonlyMap<K, V> {
  const after = new Map<K, V>();
  for (const [key, value] of before) if (known.has(key)) after.set(key, value);
  for (const [key, value] of update ?? []) {
    if (value === undefined) after.delete(key);
    else after.set(key, value);
  }
  return after;
}
