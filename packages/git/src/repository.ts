import type { Brand } from '@dag/model';

/** The full id of a commit, in hex. */
export type CommitId = Brand<string, 'CommitId'>;

/** The id of any object of git's, in hex. */
export type ObjectId = Brand<string, 'ObjectId'>;

/** One name in a folder at a revision. */
export interface GitEntry {
  readonly name: string;
  /** `other` is a symlink or a submodule. */
  readonly kind: 'file' | 'folder' | 'other';
  readonly id: ObjectId;
}

/**
 * A git repository as far as a project needs it: which revisions there are, and what stood in the project's folder at them.
 * Reads only. Every call asks git anew. What git refuses is thrown as a FailureError.
 */
export interface Repository {
  /** Where its history is kept, absolute: the work trees of one repository have it in common. */
  readonly home: string;
  /** The project's folder from the top of the work tree, `/`-separated; empty where it is the top. */
  readonly prefix: string;
  /** Commits whose parents the clone was made without (`git clone --depth`); empty where its history is whole. */
  cutAt(): ReadonlySet<CommitId>;
  /** Whether the work tree may lack files that git tracks (`git sparse-checkout`). */
  isSparse(): boolean;
  /** The commit that a revision names (`HEAD~2`, a branch, a tag, part of an id); undefined where there is none such. */
  commitOf(revision: string): CommitId | undefined;
  /** What local branches, or tags, point at, by name in git's order; a tag of something else than a commit is left out. */
  named(kind: 'branches' | 'tags'): Map<string, CommitId>;
  /** The branch that is checked out; undefined where HEAD is detached. */
  currentBranch(): string | undefined;
  /** Tips of the local branches, and HEAD. */
  branches(): CommitId[];
  /** What tags point at, where that is a commit. */
  tags(): CommitId[];
  /** Every commit that a ref or HEAD reaches; with `since`, those committed then or later. */
  commits(since?: Date): CommitId[];
  /** HEAD and those before it, along the first parent, `count` in all. */
  back(count: number): CommitId[];
  /** The content of objects (files, or folders in git's own form), each asked for once. Those that are not there are left out. */
  read(ids: Iterable<string>): Map<string, Buffer>;
}
