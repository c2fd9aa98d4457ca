import type { Artifact } from './artifact.ts';
import type { Value } from './canonical.ts';
import type { Digest } from './digest.ts';
import type { ProjectPath } from './path.ts';

/** What pipeline.lock says of one stage: the record of its last good run. Paths are from the project root. */
export interface LockedStage {
  /** The command, or undefined for a worker stage. */
  readonly cmd?: string | readonly string[];
  readonly worker?: LockedWorker;
  /** Where it ran, where that is not the folder of its pipeline.yaml. */
  readonly wdir?: ProjectPath;
  readonly salt?: string;
  readonly deps: ReadonlyMap<ProjectPath, Artifact>;
  /** Per file, per dotted key. A file tracked whole has its top-level keys here. */
  readonly params: ReadonlyMap<ProjectPath, ReadonlyMap<string, Value>>;
  /** Declared variables as the stage saw them; null for one that was not set. */
  readonly env: ReadonlyMap<string, string | null>;
  readonly outs: ReadonlyMap<ProjectPath, Artifact>;
}

/** The worker module of a stage and all local modules that it imports, each with the digest of its source. */
export interface LockedWorker {
  readonly module: ProjectPath;
  readonly backend?: string;
  readonly files: ReadonlyMap<ProjectPath, Digest>;
}

/** One pipeline.lock: stages by name, tracked data by path. */
export interface Lock {
  readonly stages: ReadonlyMap<string, LockedStage>;
  readonly data: ReadonlyMap<ProjectPath, Artifact>;
}

/** The lock of a project in which nothing has run. */
export const EMPTY_LOCK: Lock = { stages: new Map(), data: new Map() };
