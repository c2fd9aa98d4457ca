import type { AnyPath, Artifact, ObjectFailure, ProjectPath, RunRecord } from '@dag/model';
import type { CheckOptions, CheckReport } from '@dag/store';

/** How a file gets from the cache into the workspace; tried in the order of the setting. */
export type LinkStrategy = 'reflink' | 'hardlink' | 'symlink' | 'copy';

/** How far a long operation is: files and bytes done so far; totals where they are known. */
export interface Progress {
  readonly phase: 'hash' | 'place';
  readonly files: number;
  readonly bytes: number;
  readonly totalFiles?: number;
}

export interface WorkOptions {
  onProgress?(progress: Progress): void;
  /** Large files were copied into the cache for want of reflinks, and could have been linked: so many bytes more. */
  onCopied?(bytes: number): void;
  /** The cache's copy of a file or listing was damaged, and was stored anew from here. @param quarantined where the bad bytes are. */
  onMended?(path: string, quarantined: string | undefined): void;
  /** Aborting stops at the next file; the promise rejects with the signal's reason, and nothing is half done. */
  readonly signal?: AbortSignal;
}

export interface ObserveOptions extends WorkOptions {
  /** When what stands at a path, or a file in there, was last written: see `Workspace.fileTime`. */
  onWritten?(path: AnyPath, time: number): void;
}

export interface CommitOptions extends WorkOptions {
  /**
   * Asked, once all is known and before anything is on disk, for a run record that names what is committed: the two become
   * durable together. Where it rejects, nothing is committed.
   */
  record?(artifacts: ReadonlyMap<ProjectPath, Artifact>): Promise<RunRecord | undefined>;
}

export interface CheckoutItem {
  readonly path: ProjectPath;
  /** undefined: nothing should stand there. */
  readonly artifact: Artifact | undefined;
}

export interface CheckoutOptions extends WorkOptions {
  /** Also overwrite or delete content that is nowhere in the cache. */
  readonly force?: boolean;
  /** Place every file anew by the strategy that is set now. */
  readonly relink?: boolean;
  /** What the cache lacks goes to `missing` instead of `failed`. */
  readonly allowMissing?: boolean;
  /** Says what it would do, and does nothing. */
  readonly dry?: boolean;
  /** Called once it is known which paths change, before anything at them does; not where nothing is to be done. */
  beforePlacing?(paths: readonly ProjectPath[]): Promise<void>;
}

/** What a checkout did; `added`, `modified` and `deleted` are paths as they were asked for. */
export interface CheckoutReport {
  readonly added: readonly ProjectPath[];
  readonly modified: readonly ProjectPath[];
  readonly deleted: readonly ProjectPath[];
  /** Files (or whole folders) that could not be placed; `path` is from the root. */
  readonly failed: readonly ObjectFailure[];
  /** With `allowMissing`: what the cache does not have. */
  readonly missing: readonly ObjectFailure[];
  /** Paths whose content is nowhere in the cache: the item that holds them was left as it is. */
  readonly refused: readonly ProjectPath[];
  /** Files and bytes placed. */
  readonly files: number;
  readonly bytes: number;
  /** Bytes of large files that were copied for want of a file system that reflinks, and could have been linked. */
  readonly copiedBytes: number;
}

/** What stood at some paths, renamed out of the way. One of the two is called, once. */
export interface Aside {
  /** Brings everything back; what stands at the paths by then is dropped. */
  putBack(): void;
  /** Drops what was set aside. Call it as soon as what replaces it is in the cache. */
  discard(): void;
}

/** A process that holds or waits for paths. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
  readonly purpose: string;
  /** ISO 8601, UTC. */
  readonly since: string;
  readonly read: readonly AnyPath[];
  readonly write: readonly AnyPath[];
  readonly mutex: readonly string[];
}

export interface LockRequest {
  readonly read: readonly AnyPath[];
  readonly write: readonly AnyPath[];
  /** Names that only one holder has at a time. */
  readonly mutex?: readonly string[];
  /** In the user's words, for whoever waits: "dag repro: stage train". */
  readonly purpose: string;
}

export interface LockOptions {
  /** false: a FailureError `locked` where another holds a path. */
  readonly wait: boolean;
  /** Called when waiting begins, and again whenever it is for another holder. */
  onWait?(holder: LockHolder): void;
  readonly signal?: AbortSignal;
}

/** Lets the paths go. Calling it twice does no harm. */
export type Release = () => void;

/**
 * The user's files under one project root, and such files outside that stages read or make: those are only looked at, set
 * aside and put back. Failures that a user can cause are thrown as FailureError.
 */
export interface Workspace {
  /** Absolute. */
  readonly root: string;
  /** What stands at each path; undefined where nothing does. Stat cache first, then hashing. Stores nothing. */
  observe<P extends AnyPath>(paths: readonly P[], options?: ObserveOptions): Promise<Map<P, Artifact | undefined>>;
  /** As `observe`, with every file and folder inside; symlinks and what is absent are left out. */
  list<P extends AnyPath>(paths: readonly P[], options?: WorkOptions): Promise<Map<P, Artifact>>;
  /** What a file that is written now would have for its time, ms since 1970: the clock of a file server may be another. */
  fileTime(): number;
  /** Whether a file that stands there, or in there, was written after a time (see `fileTime`), or nothing stands there. */
  isTouchedSince(path: AnyPath, time: number): Promise<boolean>;
  /** Observes, and stores every object and tree; durable when it resolves. An absent path is a failure. */
  commit(paths: readonly ProjectPath[], options?: CommitOptions): Promise<Map<ProjectPath, Artifact>>;
  /** Stores the listings of folders alone, without what is in them: enough to say later which files have changed. */
  keepListings(paths: readonly AnyPath[]): Promise<void>;
  /** Makes the paths be what the artifacts say, touching as little as it can. Says what it could not do; never half a file. */
  checkout(items: readonly CheckoutItem[], options?: CheckoutOptions): Promise<CheckoutReport>;
  /** As `Store.isComplete`; where all of a large folder was found is remembered, and not looked up while it is still there. */
  isComplete(artifact: Artifact): boolean;
  /** `Store.checkAll`, with all cores where there is much to hash. */
  checkCache(options?: Omit<CheckOptions, 'run'>): Promise<CheckReport>;
  /** Turns links into the cache at these paths into writable copies. Returns those changed. */
  unprotect(paths: readonly ProjectPath[], options?: WorkOptions): Promise<ProjectPath[]>;
  /**
   * To be called before something at the paths goes for good: what the cache has of it is checked, by the stat cache where it
   * is untouched and by its hash where not, and stored anew from here where it is damaged.
   */
  keep(paths: readonly AnyPath[], options?: WorkOptions): Promise<void>;
  /** Renames what stands at the paths out of the way; absent paths are remembered as absent. */
  setAside(paths: readonly AnyPath[]): Aside;
  /** Heals what killed processes left: puts back what they had set aside, sweeps their temp files. Returns what came back. */
  recover(): AnyPath[];
  /**
   * Takes all paths at once: readers of a path share it, a writer has it alone, and all that lies in or above it. Held
   * against processes that work on the same project: of a path outside, another project knows nothing.
   */
  acquire(request: LockRequest, options: LockOptions): Promise<Release>;
  /** Those who hold or wait for paths now. */
  holders(): LockHolder[];
  /** Adds and removes anchored lines in the .gitignore of each path's own folder. Returns the files touched. */
  updateGitignore(changes: {
    readonly add: readonly ProjectPath[];
    readonly remove: readonly ProjectPath[];
  }): ProjectPath[];
  /** Whether .dagignore leaves the path out (as a folder, where one stands there). */
  ignored(path: ProjectPath): boolean;
  /** Temp file, fsync, rename, fsync of the folder: the old text or the new one, never half. Makes parent folders. */
  writeFileAtomic(path: ProjectPath, text: string): void;
  /** Ends worker threads and closes files; all is opened again when used again. */
  close(): Promise<void>;
}

export interface WorkspaceOptions {
  /** The project root, absolute. */
  readonly root: string;
  readonly store: import('@dag/store').Store;
  /** Default: reflink, copy. */
  readonly link?: readonly LinkStrategy[];
  /** Folder of the stat cache; false for none. Default: `.cache/stat` of the project, elsewhere on network file systems. */
  readonly statCache?: string | false;
  /** Whether files of two names would be one file in a folder. Default: tried there with a real one. */
  readonly isOneName?: (folder: string, a: string, b: string) => boolean;
  /** The top of the git work tree that the project lies in. Default: the nearest folder at or above it that holds a `.git`. */
  readonly gitTop?: () => string | undefined;
  /** Worker threads for large work; 0 keeps all in this thread. Default: the cores, at most 8. */
  readonly threads?: number;
}
