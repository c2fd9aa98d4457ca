import type { AnyPath, Artifact, LockedStage, StageAddress } from '@dag/model';
import type { Pipeline } from '@dag/pipeline';

/** What is at a path: the content, nothing at all, or something that is known by its digest alone. */
export type Content =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'missing' }
  | { readonly kind: 'not-in-cache'; readonly artifact: Artifact };

/**
 * A project as it stands in the workspace, or stood at a revision. Files that the workspace or git lack are read from the
 * cache, as pipeline.lock of that time names them: nothing is checked out. Reads only.
 */
export interface Snapshot {
  /** `workspace`, or the revision as the user named it. */
  readonly name: string;
  /** Undefined where its files did not hold together; `problem` says why. */
  readonly pipeline: Pipeline | undefined;
  readonly problem?: string;
  /** What pipeline.lock says of the last good run of each stage. */
  lockedStages(): ReadonlyMap<StageAddress, LockedStage>;
  content(path: AnyPath): Content;
  /** The files at a path: those inside a folder, sorted, or the path itself, whether there is anything or not. */
  files(path: AnyPath): readonly AnyPath[];
  /** Says which files will be asked for, so that they can be read in one go. */
  prefetch(paths: Iterable<AnyPath>): void;
}
