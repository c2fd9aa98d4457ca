import type {
  Artifact,
  BackendPins,
  CheckpointFile,
  CheckpointNote,
  Digest,
  Failure,
  ProjectPath,
  Result,
  RunKey,
  RunRecord,
} from '@dag/model';
import type { Pipeline, SourceReader } from '@dag/pipeline';
import type { Store } from '@dag/store';
import type { Workspace } from '@dag/workspace';
import type { LockBook } from './lock-book.ts';

/** A project as the engine works on it: the checked graph, and all that it may touch, handed in. */
export interface Project {
  /** Absolute. */
  readonly root: string;
  readonly pipeline: Pipeline;
  readonly reader: SourceReader;
  /** Reads the graph anew, as the files are now; undefined where they don't hold together any more. */
  reload(): Pipeline | undefined;
  readonly workspace: Workspace;
  readonly store: Store;
  readonly locks: LockBook;
  readonly modules: ModuleSource;
  /** Tracked folders of which only a part was put into the workspace: what is not there was not deleted. */
  readonly partial: ReadonlySet<ProjectPath>;
  /** The environment that stages inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What every run record says of the surroundings: Node, OS, CPU and the like. Asked once a run. */
  readonly context: () => Readonly<Record<string, string | number | boolean>>;
  readonly clock: () => Date;
  /** Those of the paths that git tracks, or tracks something in; none outside git. */
  trackedByGit(paths: readonly ProjectPath[]): ReadonlySet<ProjectPath>;
  /** What was noted of tracked data. Read anew with each call. */
  lastKnown(): LastKnown;
  /** To be called before tracked data is put in place: of what is killed half-way it is then known to be none of the user's doing. */
  placing(paths: readonly ProjectPath[]): Promise<void>;
  /** To be called once tracked data is what its entry in pipeline.lock says, because it was put in place or recorded. */
  settled(artifacts: ReadonlyMap<ProjectPath, Artifact>): Promise<void>;
}

export interface LastKnown {
  /** When data and its entry in pipeline.lock were last known to be alike, and what they were. */
  readonly agreed: ReadonlyMap<ProjectPath, LastAgreed>;
  /** What was being put in place when that ended early. */
  readonly placing: ReadonlySet<ProjectPath>;
}

/** What tracked data and its entry in pipeline.lock both were. */
export interface LastAgreed {
  readonly artifact: Artifact;
  /** When they were known to be so, ms since 1970: a file with a later time is the user's doing. */
  readonly at: number;
}

/** What knows the modules of worker stages. Handed in, so that esbuild is only loaded where a stage needs it. */
export interface ModuleSource {
  /** The module and all local modules that it imports. */
  closure(module: ProjectPath): Promise<Result<ModuleClosure, Failure>>;
  /** Writes one file, at an absolute path, that a worker process can run. */
  bundle(module: ProjectPath, outFile: string): Promise<Result<ModuleClosure, Failure>>;
  /** What makes it sure that the backend which a module's stage pins can't be loaded; nothing is loaded to find out. */
  missingBackend(
    module: ProjectPath,
    pins: BackendPins,
  ): Promise<{ readonly why: string; readonly hint?: string } | undefined>;
  /** The program that a worker process starts with; absolute. */
  readonly childEntry: string;
}

export interface ModuleClosure {
  /** Each file with the digest of its source, sorted by path. */
  readonly files: ReadonlyMap<ProjectPath, Digest>;
  /** Whether TensorFlow.js is imported, so that a backend is to be set up first. */
  readonly tensorflow: boolean;
}

/** What can bring objects and run records from elsewhere: a remote, as the engine sees it. */
export interface Fetcher {
  /** Brings all objects of these artifacts into the store; true where all came. Safe to call again. */
  fetch(artifacts: readonly FetchItem[], signal: AbortSignal): Promise<boolean>;
  /** Earlier runs with this key. */
  findRuns(key: RunKey): Promise<readonly RunRecord[]>;
}

export interface FetchItem {
  readonly path: ProjectPath;
  readonly artifact: Artifact;
}

/** What keeps checkpoints of running stages where other machines find them: a remote, as the engine sees it. */
export interface CheckpointKeeper {
  /** Those that are kept under a name, newest first. */
  find(name: string, signal: AbortSignal): Promise<readonly KeptCheckpoint[]>;
  /** To send what one run saves. */
  copies(name: string): CheckpointCopies;
  /** Removes all: the run has finished, or begins afresh. */
  drop(name: string): Promise<void>;
}

/** A checkpoint that is kept elsewhere. */
export interface KeptCheckpoint extends CheckpointNote {
  /** Brings it into an empty folder; false where it is not whole. */
  bring(folder: string, signal: AbortSignal): Promise<boolean>;
}

export interface CheckpointCopies {
  /** Sends files; what was sent before is removed once they are there. `changed`: they were written to meanwhile. */
  push(
    snapshot: { readonly folder: string; readonly files: readonly CheckpointFile[]; readonly note: CheckpointNote },
    signal: AbortSignal,
  ): Promise<'sent' | 'changed'>;
}
