import type { AnyPath, Diagnostic, OutKind, ProjectPath, Stage, StageAddress, TrackedData, Value } from '@dag/model';

/** Files as the caller gives them: the workspace now, a git revision later. Synchronous, called often, never cached here. */
export interface SourceReader {
  /** The bytes of a file; undefined where there is no such file. */
  read(path: AnyPath): Uint8Array | undefined;
  /** What stands in a folder, in any order; empty where there is no such folder. */
  list(folder: AnyPath): readonly SourceEntry[];
  /** Where the project lies: absolute, without symlinks. Where that is not known, every absolute path lies outside. */
  readonly root?: string;
  /** An absolute path with the symlinks on its way resolved, as far as the way is there; its last part as it is. */
  real?(absolute: string): string;
}

export interface SourceEntry {
  readonly name: string;
  /** `other` is a symlink to a folder, a socket and the like: never walked into. */
  readonly kind: 'file' | 'folder' | 'other';
}

/** How content gets from the cache into the workspace. */
export type LinkStrategy = 'reflink' | 'hardlink' | 'symlink' | 'copy';

export const LINK_STRATEGIES: readonly LinkStrategy[] = ['reflink', 'hardlink', 'symlink', 'copy'];

/** A remote as configured. Holds no credentials: those in a file or URL are refused when read. */
export interface RemoteConfig {
  readonly name: string;
  /** `s3://bucket/prefix`, `https://host/path` (only read), `file:///…` or a folder; a relative folder is relative to the project root. */
  readonly url: string;
  readonly endpoint?: string;
  readonly region?: string;
  /** Name of a profile in the user's AWS configuration. */
  readonly profile?: string;
  /** Bucket in the path instead of the host name; undefined leaves the choice to the remote. */
  readonly pathStyle?: boolean;
  /** Objects moved at once. */
  readonly jobs?: number;
  /** Milliseconds without a byte after which a request is tried again. */
  readonly timeout?: number;
  /** How often a request is tried again. */
  readonly retries?: number;
}

export interface CacheSettings {
  /** As written: relative to the project root, or absolute. */
  readonly dir?: string;
  /** Tried in this order. */
  readonly link?: readonly LinkStrategy[];
  /** Days for which run records and their objects are kept by gc. */
  readonly keepRuns?: number;
}

/** How a map unpacks in a command: DVC's `parsing` settings. */
export interface ParsingSettings {
  readonly bool: 'store_true' | 'boolean_optional';
  readonly list: 'nargs' | 'append';
}

/** Settings of the project: the user's own, the root pipeline.yaml over them, .cache/local.yaml over both. */
export interface Settings {
  /** Names of the default remotes, in the order in which they are looked in; often one, or none. */
  readonly defaultRemotes: readonly string[];
  readonly remotes: ReadonlyMap<string, RemoteConfig>;
  readonly cache: CacheSettings;
  /** Stages that run at once; undefined where the file says nothing. */
  readonly jobs?: number | 'auto';
  readonly parsing: ParsingSettings;
}

/** A top-level `metrics:`, `plots:` or `params:` entry: a file that is shown though no stage declares it. */
export interface ShownFile {
  readonly path: AnyPath;
  readonly file: ProjectPath;
}

/** A top-level plot: an id (often a path) and its settings as written. */
export interface TopPlot {
  readonly id: string;
  readonly file: ProjectPath;
  readonly definition: Value;
}

/** A top-level `artifacts:` entry. */
export interface NamedArtifact {
  readonly name: string;
  readonly path: ProjectPath;
  readonly file: ProjectPath;
  readonly type?: string;
  readonly desc?: string;
  readonly labels: readonly string[];
  readonly meta?: Value;
}

/** An out's settings for display, beside what the engine needs. */
export interface PlotProperties {
  readonly path: AnyPath;
  readonly kind: OutKind;
  readonly properties: readonly Value[];
}

/** Values that `${…}` drew from files for one stage: by file, by dotted key. */
export type UsedValues = ReadonlyMap<AnyPath, ReadonlyMap<string, Value>>;

/** The checked graph of a project: no two stages make the same path, no cycle, none outside the project but what is read, or made and not cached. */
export interface Pipeline {
  /** Each pipeline.yaml that was read, sorted. */
  readonly files: readonly ProjectPath[];
  /** Sorted by address. */
  readonly stages: ReadonlyMap<StageAddress, Stage>;
  /** Stages that foreach or matrix made, by the address of their group, in order. */
  readonly groups: ReadonlyMap<StageAddress, readonly StageAddress[]>;
  /** Sorted by path. */
  readonly data: readonly TrackedData[];
  /** Upstream, downstream; sorted. */
  readonly edges: readonly (readonly [StageAddress, StageAddress])[];
  /** The stages whose outs `address` reads, sorted. */
  upstream(address: StageAddress): readonly StageAddress[];
  /** The stages that read the outs of `address`, sorted. */
  downstream(address: StageAddress): readonly StageAddress[];
  /** Topological; in order of declaration among equals. */
  readonly order: readonly StageAddress[];
  /** What templates drew from files, by stage. */
  readonly used: ReadonlyMap<StageAddress, UsedValues>;
  readonly plotProperties: ReadonlyMap<StageAddress, readonly PlotProperties[]>;
  readonly settings: Settings;
  readonly params: readonly ShownFile[];
  readonly metrics: readonly ShownFile[];
  readonly plots: readonly TopPlot[];
  readonly artifacts: readonly NamedArtifact[];
}

export interface LoadOptions {
  /**
   * Stages, groups, files or paths that are wanted. Only what they need has to be sound: a problem elsewhere is reported
   * and not fatal. Paths are relative to `cwd`.
   */
  readonly targets?: readonly string[];
  /** Only the settings are wanted: as long as the root's pipeline.yaml can be read, no problem is fatal. */
  readonly settingsOnly?: boolean;
  /** The folder that targets are relative to; the root by default. */
  readonly cwd?: ProjectPath;
  /** Text of `.cache/local.yaml`; its settings win over all others. */
  readonly localSettings?: string;
  /** The user's own settings, for all projects: the weakest. `file` is what messages call it. */
  readonly userSettings?: { readonly file: string; readonly text: string };
}

export interface Loaded {
  /** Undefined when what was asked for does not hold together; the diagnostics say why. */
  readonly pipeline: Pipeline | undefined;
  /** All problems found; with a pipeline, those of files that the targets don't need. Sorted by file and place. */
  readonly diagnostics: readonly Diagnostic[];
}
