import {
  type Artifact,
  type Diagnostic,
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

/** Changes to one lock: entries to set; undefined takes one out. */
export interface LockUpdate {
  readonly stages?: ReadonlyMap<string, LockedStage | undefined>;
  readonly data?: ReadonlyMap<ProjectPath, Artifact | undefined>;
}

/** Milliseconds that entries which may wait do so at most, and how much rarer than it takes a lock is written. */
const SOON_MS = 500;
const SOON_FACTOR = 50;

/**
 * All pipeline.lock files of a project, one beside each pipeline.yaml: read once, read again when another process wrote.
 * A lock is written whole, so entries that a run record stands for may wait a moment for others (`updateSoon`): a thousand
 * quick stages don't write a thousand locks.
 */
export class LockBook {
  readonly #files: LockFiles;
  readonly #read: Map<ProjectPath, { readonly stamp: string | undefined; readonly lock: Lock }>;
  /** Entries that are still to be written, by pipeline.yaml, and the lock with them in it. */
  readonly #soon: Map<ProjectPath, Soon>;
  #lastWrite = Number.NEGATIVE_INFINITY;
  #pause = SOON_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(files: LockFiles, read: LockBook | undefined = undefined) {
    this.#files = files;
    this.#read = new Map(read === undefined ? [] : read.#read);
    this.#soon = read === undefined ? new Map() : read.#soon;
  }

  /** The lock beside a pipeline.yaml, with what is to be written soon. Throws a FailureError when it is damaged. */
  lock(pipelineFile: ProjectPath): Lock {
    const written = this.#written(pipelineFile);
    const soon = this.#soon.get(pipelineFile);
    if (soon === undefined) return written;
    if (soon.over !== written) {
      soon.over = written;
      soon.stages = new Map([...written.stages, ...soon.entries]);
    }
    return { stages: soon.stages, data: written.data };
  }

  #written(pipelineFile: ProjectPath): Lock {
    const path = lockPath(pipelineFile);
    const stamp = this.#files.stamp(path);
    const known = this.#read.get(path);
    if (known !== undefined && known.stamp === stamp) return known.lock;
    const lock = parseText(this.#files.read(path), path);
    this.#read.set(path, { stamp, lock });
    if (known !== undefined) this.#dropSuperseded(pipelineFile, known.lock, lock);
    return lock;
  }

  /** Drops what waits and is older than what another process has written meanwhile. */
  #dropSuperseded(pipelineFile: ProjectPath, before: Lock, after: Lock): void {
    const soon = this.#soon.get(pipelineFile);
    for (const [name, isSuperseded] of soon?.superseded ?? []) {
      if (sameEntry(name, before, after) || !isSuperseded()) continue;
      soon?.entries.delete(name);
      soon?.superseded.delete(name);
    }
  }

  /** Reads the locks of some stages, so that all that is damaged in any of them is told in one go. Throws a FailureError. */
  require(stages: readonly Stage[]): void {
    const diagnostics: Diagnostic[] = [];
    for (const file of new Set(stages.map((stage) => stage.file))) {
      try {
        this.lock(file);
      } catch (error) {
        if (!(error instanceof FailureError) || error.failure.code !== 'invalid-pipeline') throw error;
        diagnostics.push(...error.failure.diagnostics);
      }
    }
    if (diagnostics.length > 0) throw new FailureError({ code: 'invalid-pipeline', diagnostics });
  }

  /** The locks for one look at all stages: each file is asked once whether it has changed, not once a stage. */
  once(): LockBook {
    const stamps = new Map<ProjectPath, string | undefined>();
    const stamp = (path: ProjectPath): string | undefined => {
      if (!stamps.has(path)) stamps.set(path, this.#files.stamp(path));
      return stamps.get(path);
    };
    return new LockBook({ ...this.#files, stamp }, this);
  }

  stage(stage: Stage): LockedStage | undefined {
    return this.lock(stage.file).stages.get(stage.name);
  }

  data(data: TrackedData): Artifact | undefined {
    return this.lock(data.file).data.get(data.path);
  }

  /** Entries of stages and data that the pipeline does not have. */
  stale(pipelineFile: ProjectPath, pipeline: Pipeline): Lock {
    const { stages, data } = this.lock(pipelineFile);
    const known = knownEntries(pipelineFile, pipeline);
    return {
      stages: new Map([...stages].filter(([name]) => !known.stages.has(name))),
      data: new Map([...data].filter(([path]) => !known.data.has(path))),
    };
  }

  /** Runs `update` while nobody else writes locks, .gitignore or pipeline.yaml of this project. */
  exclusively<T>(update: () => T): Promise<T> {
    return this.#files.exclusively(update);
  }

  /**
   * Writes entries into the lock beside a pipeline.yaml, over what stands there at that moment. Writes nothing where
   * nothing changes.
   */
  async update(pipelineFile: ProjectPath, update: LockUpdate): Promise<void> {
    const path = lockPath(pipelineFile);
    await this.#files.exclusively(() => {
      const before = this.lock(pipelineFile);
      const after: Lock = { stages: merged(before.stages, update.stages), data: merged(before.data, update.data) };
      const empty = after.stages.size === 0 && after.data.size === 0;
      const text = empty ? undefined : renderLock(after, path);
      if (text !== this.#files.read(path)) this.#files.write(path, text);
      this.#read.set(path, { stamp: this.#files.stamp(path), lock: after });
      const soon = this.#soon.get(pipelineFile);
      this.#soon.delete(pipelineFile);
      for (const written of soon?.written ?? []) written();
    });
  }

  /**
   * Sets entries of stages, and writes them within moments: with the next that come, by a timer, or by `flush`, which the
   * caller owes. For results that a run record keeps: a process that is killed before loses no more than these entries.
   */
  async updateSoon(
    pipelineFile: ProjectPath,
    entries: ReadonlyMap<string, LockedStage>,
    { written, superseded }: SoonOptions = {},
  ): Promise<void> {
    // What stands there before: an entry that is another one later was written by somebody else.
    this.#written(pipelineFile);
    const soon: Soon = this.#soon.get(pipelineFile) ?? {
      entries: new Map(),
      over: undefined,
      stages: new Map(),
      superseded: new Map(),
      written: [],
    };
    this.#soon.set(pipelineFile, soon);
    for (const [name, entry] of entries) {
      soon.entries.set(name, entry);
      soon.stages.set(name, entry);
      if (superseded !== undefined) soon.superseded.set(name, superseded);
    }
    const left = this.#lastWrite + this.#pause - performance.now();
    if (written !== undefined) soon.written.push(written);
    if (left <= 0) await this.flush();
    // Where it fails the entries stay, and the caller's own flush says why.
    else this.#timer ??= setTimeout(() => void this.flush().catch(() => {}), left);
  }

  /** Writes all entries that wait. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#soon.size === 0) return;
    const began = performance.now();
    this.#lastWrite = began;
    for (const file of [...this.#soon.keys()]) await this.update(file, {});
    this.#lastWrite = performance.now();
    this.#pause = Math.max(SOON_MS, SOON_FACTOR * (this.#lastWrite - began));
  }
}

interface Soon {
  readonly entries: Map<string, LockedStage>;
  /** What `stages` was made from: the lock as written. */
  over: Lock | undefined;
  stages: Map<string, LockedStage>;
  /** Of each, by name, whether another process has a newer one: asked where one stands there that did not before. */
  readonly superseded: Map<string, () => boolean>;
  /** To be called when they are on disk. */
  readonly written: (() => void)[];
}

/** What is to be known of entries that may wait. */
interface SoonOptions {
  /** Called when they are on disk, or something newer is. */
  readonly written?: (() => void) | undefined;
  /** Whether another process has newer ones: then those stay, also where they are written first. */
  readonly superseded?: () => boolean;
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

function sameEntry(name: string, a: Lock, b: Lock): boolean {
  const [x, y] = [a.stages.get(name), b.stages.get(name)];
  if (x === undefined || y === undefined) return x === y;
  const text = (stage: LockedStage): string =>
    renderLock({ stages: new Map([[name, stage]]), data: new Map() }, lockPath(ROOT));
  return text(x) === text(y);
}

const ROOT = 'pipeline.yaml' as ProjectPath;

interface Entries {
  readonly stages: ReadonlySet<string>;
  readonly data: ReadonlySet<ProjectPath>;
}

function knownEntries(file: ProjectPath, pipeline: Pipeline): Entries {
  const stages = new Set<string>();
  for (const stage of pipeline.stages.values()) if (stage.file === file) stages.add(stage.name);
  return { stages, data: new Set(pipeline.data.filter((entry) => entry.file === file).map((entry) => entry.path)) };
}

function merged<K extends string, V>(
  before: ReadonlyMap<K, V>,
  update: ReadonlyMap<K, V | undefined> | undefined,
): ReadonlyMap<K, V> {
  const after = new Map(before);
  for (const [key, value] of update ?? []) {
    if (value === undefined) after.delete(key);
    else after.set(key, value);
  }
  return after;
}
