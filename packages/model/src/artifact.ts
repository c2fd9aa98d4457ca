import type { Digest } from './digest.ts';

/** What stands, or stood, at a path: a file, or a folder named by the digest of its tree. Sizes are in bytes. */
export type Artifact =
  | {
      readonly kind: 'file';
      readonly digest: Digest;
      readonly size: number;
      readonly executable: boolean;
    }
  | {
      readonly kind: 'folder';
      /** Digest of the folder's tree object. */
      readonly digest: Digest;
      /** Bytes of all files inside, at any depth. */
      readonly size: number;
      /** Number of files inside, at any depth. */
      readonly files: number;
    };

/** Whether two artifacts are the same content: kind, digest and, for a file, the executable bit. */
export function sameArtifact(a: Artifact | undefined, b: Artifact | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.kind !== b.kind || a.digest !== b.digest) return false;
  return a.kind === 'folder' || b.kind === 'folder' || a.executable === b.executable;
}
