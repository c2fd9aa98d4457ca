import type { Artifact } from './artifact.ts';
import type { BackendPins } from './backend.ts';
import type { Value } from './canonical.ts';
import type { Digest } from './digest.ts';
import { type AnyPath, isInside, type ProjectPath } from './path.ts';

/** What pipeline.lock says of one stage: the record of its last good run. Paths are from the project root. */
export interface LockedStage {
  /** The command, or undefined for a worker stage. */
  readonly cmd?: string | readonly string[];
  readonly worker?: LockedWorker;
  /** Where it ran, where that is not the folder of its pipeline.yaml. */
  readonly wdir?: ProjectPath;
  readonly salt?: string;
  readonly shell?: readonly string[];
  readonly deps: ReadonlyMap<AnyPath, Artifact>;
  /** Per file, per dotted key. A file tracked whole has its top-level keys here. */
  readonly params: ReadonlyMap<AnyPath, ReadonlyMap<string, Value>>;
  /** Declared variables as the stage saw them; null for one that was not set. */
  readonly env: ReadonlyMap<string, string | null>;
  /** Nothing is written, restored or removed at one outside the project because it stands here. */
  readonly outs: ReadonlyMap<AnyPath, Artifact>;
}

/** The worker module of a stage and all local modules that it imports, each with the digest of its source. */
export interface LockedWorker {
  readonly module: ProjectPath;
  readonly backend?: BackendPins;
  readonly files: ReadonlyMap<ProjectPath, Digest>;
}

/** One pipeline.lock: stages by name, tracked data by path. */
export interface Lock {
  readonly stages: ReadonlyMap<string, LockedStage>;
  readonly data: ReadonlyMap<ProjectPath, Artifact>;
}

/** The lock of a project in which nothing has run. */
export const EMPTY_LOCK: Lock = { stages: new Map(), data: new Map() };

/** Those outs that may come back from the cache: nothing is ever put in place outside the project. */
export function insideOuts(outs: ReadonlyMap<AnyPath, Artifact>): Map<ProjectPath, Artifact> {
  const inside = new Map<ProjectPath, Artifact>();
  for (const [path, artifact] of outs) if (isInside(path)) inside.set(path, artifact);
  return inside;
}
