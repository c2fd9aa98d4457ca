import type { BackendPins } from './backend.ts';
import type { Brand } from './brand.ts';
import type { Value } from './canonical.ts';
import type { OutCheck } from './out-check.ts';
import type { AnyPath, ProjectPath } from './path.ts';

/** A stage's name in the whole project: `name` in the root pipeline.yaml, `dir/pipeline.yaml:name` elsewhere. */
export type StageAddress = Brand<string, 'StageAddress'>;

/** The address of a stage, from the pipeline.yaml that holds it and its name there (`build@key` for a generated one). */
export function stageAddress(file: ProjectPath, name: string): StageAddress {
  return (file.includes('/') ? `${file}:${name}` : name) as StageAddress;
}

/** What a stage runs. */
export type Action =
  | {
      readonly kind: 'command';
      /** As written: one command, or a list that runs in order and stops at the first failure. */
      readonly cmd: string | readonly string[];
    }
  | {
      readonly kind: 'worker';
      /** The module that a worker process runs. */
      readonly module: ProjectPath;
      /** What it pins of the TensorFlow backend; undefined takes the first that loads, as it is. */
      readonly backend?: BackendPins;
    };

/** A path that a stage reads. */
export interface Dep {
  readonly path: AnyPath;
  /** Set when the path came from a pattern: the pattern as written, relative to the stage's wdir. */
  readonly pattern?: string;
}

export type OutKind = 'out' | 'metric' | 'plot';

/** A path that a stage makes. What the cache holds lies in the project; only what it does not may lie outside. */
export type Out = CachedOut | UncachedOut;

export interface CachedOut extends OutFlags {
  readonly path: ProjectPath;
  readonly cache: true;
}

/** An out whose content is the user's to keep (in git, say). */
export interface UncachedOut extends OutFlags {
  readonly path: AnyPath;
  readonly cache: false;
}

interface OutFlags {
  readonly kind: OutKind;
  /** Whether it stays in place while the stage runs, instead of being set aside. */
  readonly persist: boolean;
  /** Whether push sends it. */
  readonly push: boolean;
  /** The one remote that it belongs to. */
  readonly remote?: string;
  readonly desc?: string;
}

/** Parameters that a stage reads from one file; `keys` are dotted, or `all` for the file as a whole. */
export interface ParamDep {
  readonly file: AnyPath;
  readonly keys: readonly string[] | 'all';
}

/** A declared variable of the environment; with a value, that value is also set for the stage. */
export interface EnvVar {
  readonly name: string;
  readonly value?: string;
}

/** What a stage leases for as long as it runs. Memory in bytes. */
export interface Resources {
  readonly cpu?: number;
  readonly gpu?: number;
  /** Of each of its GPUs, which it shares with others that say how much they need; absent where it wants them whole. */
  readonly gpuMemory?: number;
  readonly memory?: number;
}

/** How a stage that ends early is taken up again. */
export interface CheckpointSettings {
  /** How many of those that a worker module saves stay. */
  readonly keep?: number;
  /** Milliseconds that it has to save once more when it is told to end. */
  readonly grace?: number;
  /** Whether they are sent to the remote as well, so that another machine can go on. */
  readonly push: boolean;
}

/** One stage, resolved and checked: templates filled in, paths from the project root. */
export interface Stage {
  readonly address: StageAddress;
  readonly name: string;
  /** The pipeline.yaml that declares it. */
  readonly file: ProjectPath;
  /** Where it runs, and what its paths were written relative to. */
  readonly wdir: ProjectPath;
  readonly action: Action;
  readonly deps: readonly Dep[];
  readonly outs: readonly Out[];
  readonly params: readonly ParamDep[];
  readonly env: readonly EnvVar[];
  readonly strictEnv: boolean;
  readonly resources: Resources;
  readonly mutex: readonly string[];
  /** What the user wrote to disown earlier results: that of the file and the stage's own. */
  readonly salt?: string;
  /** The program that its commands are handed to, and its arguments before the command; undefined for the usual shell. */
  readonly shell?: readonly string[];
  readonly retries: number;
  /** Milliseconds; undefined for none. */
  readonly timeout?: number;
  readonly checkpoints?: CheckpointSettings;
  /** Milliseconds without any sign of progress after which it has failed; undefined: never. */
  readonly stall?: number;
  readonly frozen: boolean;
  /** How `verify` compares what it makes; undefined where it says nothing. */
  readonly verify?: readonly OutCheck[];
  readonly alwaysChanged: boolean;
  readonly desc?: string;
  readonly meta?: Value;
  /** 1-based line of its declaration. */
  readonly line: number;
}

/** A file or folder that `dag add` tracks. */
export interface TrackedData {
  readonly path: ProjectPath;
  /** The pipeline.yaml that lists it. */
  readonly file: ProjectPath;
  readonly push: boolean;
  readonly remote?: string;
  readonly desc?: string;
  readonly line: number;
}
