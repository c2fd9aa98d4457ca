import { type CommitId, preloadRevisions, type Repository } from '@dag/git';
import type { OpenProject } from '../project/open.ts';
import { repositoryOf, requireCommit } from '../project/roots.ts';
import { revisionSnapshot, WORKSPACE, workspaceSnapshot } from './open.ts';
import type { Snapshot } from './snapshot.ts';

/** Which revisions are shown beside the workspace. */
export interface Shown {
  readonly allBranches?: boolean;
  readonly allTags?: boolean;
  readonly allCommits?: boolean;
}

/** The snapshots of a comparison of revisions with each other, or with the workspace. */
export interface Revisions {
  /** The snapshot that a name means: `workspace`, a branch, a tag, part of a commit's id. */
  snapshot(name: string): Snapshot;
  /** Those that flags ask for, each commit once, under all its names with commas between. */
  shown(shown: Shown): Snapshot[];
  /** The branch that is checked out. */
  currentBranch(): string | undefined;
}

/** @returns undefined where the repository has no commits: there is nothing to compare with. */
export function openRevisions(project: OpenProject): Revisions | undefined {
  const repository = repositoryOf(project.root, project.env);
  if (repository.commitOf('HEAD') === undefined && repository.commits().length === 0) return undefined;
  const contents = new Map<string, Buffer>();
  const at = (name: string, commit: CommitId): Snapshot =>
    revisionSnapshot(project, repository, { name, commit }, contents);
  return {
    snapshot: (name) => (name === WORKSPACE ? workspaceSnapshot(project) : at(name, requireCommit(repository, name))),
    shown: (shown) => {
      const named = namesOf(repository, shown);
      preloadRevisions(repository, [...named.keys()], contents);
      return Array.from(named, ([commit, names]) => at([...new Set(names)].join(','), commit));
    },
    currentBranch: () => repository.currentBranch(),
  };
}

function namesOf(repository: Repository, { allBranches, allTags, allCommits }: Shown): Map<CommitId, string[]> {
  const names = new Map<CommitId, string[]>();
  const add = (name: string, commit: CommitId): void => void names.set(commit, [...(names.get(commit) ?? []), name]);
  if (allCommits === true) for (const commit of repository.commits()) add(commit, commit);
  else {
    if (allBranches === true) for (const [name, commit] of repository.named('branches')) add(name, commit);
    if (allTags === true) for (const [name, commit] of repository.named('tags')) add(name, commit);
  }
  return names;
}
