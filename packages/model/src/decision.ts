import type { Artifact } from './artifact.ts';
import type { Value } from './canonical.ts';
import type { Digest } from './digest.ts';
import type { AnyPath, ProjectPath } from './path.ts';
import type { RunRecord } from './run-record.ts';
import type { StageAddress } from './stage.ts';

/** How a path, key or variable differs from what the lock says. */
export type How = 'modified' | 'new' | 'deleted' | 'not-in-cache' | 'added' | 'removed';

/**
 * One reason why a stage is stale. `added` and `removed` speak of the declaration (a dep that is new in pipeline.yaml, or
 * gone from it), `new`, `deleted` and `modified` of what stands in the workspace or the params file.
 */
export type Change =
  | { readonly changed: 'never-run' }
  | { readonly changed: 'always'; readonly why: 'always_changed' | 'nothing-declared' }
  | { readonly changed: 'forced'; readonly by: 'force' | 'downstream' }
  | {
      readonly changed: 'command';
      readonly how: 'modified';
      readonly before: string;
      readonly after: string;
    }
  | {
      readonly changed: 'worker';
      readonly how: How;
      /** The module or one of its imports; undefined when the stage turned from or into a worker. */
      readonly path?: ProjectPath;
      readonly before?: Digest;
      readonly after?: Digest;
    }
  /** `before` and `after` are empty where none is set. */
  | {
      readonly changed: 'definition';
      readonly part: 'salt' | 'shell' | 'backend';
      readonly how: 'modified';
      readonly before: string;
      readonly after: string;
    }
  | { readonly changed: 'wdir'; readonly how: 'modified'; readonly before: string; readonly after: string }
  | {
      readonly changed: 'dep' | 'out' | 'data';
      readonly path: AnyPath;
      readonly how: How;
      readonly before?: Artifact;
      readonly after?: Artifact;
    }
  | {
      readonly changed: 'param';
      readonly file: AnyPath;
      readonly key: string;
      readonly how: How;
      readonly before?: Value;
      readonly after?: Value;
    }
  | {
      readonly changed: 'env';
      readonly name: string;
      readonly how: How;
      readonly before?: string | null;
      readonly after?: string | null;
    };

/** What is to be done with one stage, and why. */
export type Decision =
  /** Nothing: the lock and the workspace agree. */
  | { readonly kind: 'skip'; readonly reason: 'unchanged' | 'frozen' }
  /** Outs come back from the cache: as the lock names them, or as an earlier run with the same key made them. */
  | {
      readonly kind: 'restore';
      readonly from: { readonly kind: 'lock' } | { readonly kind: 'run'; readonly record: RunRecord };
      readonly outs: ReadonlyMap<ProjectPath, Artifact>;
      readonly changes: readonly Change[];
    }
  | { readonly kind: 'run'; readonly changes: readonly Change[] }
  /** An upstream stage failed or was blocked itself; without `by`, the run ended before its turn. */
  | { readonly kind: 'blocked'; readonly by?: StageAddress }
  /** Not known until these upstream stages have run. */
  | { readonly kind: 'undecided'; readonly upstream: readonly StageAddress[]; readonly changes: readonly Change[] };
