import { type Artifact, type ProjectPath, sameArtifact } from '@dag/model';
import type { LastKnown, Project } from './project.ts';

// Tracked data that is not what pipeline.lock names was changed by the user, who wants it recorded; or it is as it was, and
// git has put another pipeline.lock in place (a checkout without hooks, a reset, a stash, a merge that stopped). To record it
// then would undo what git did. So both are held against what they were when they last agreed.

/** Tracked data that is not what its entry says. */
export interface Differing {
  readonly path: ProjectPath;
  /** In the workspace. */
  readonly seen: Artifact | undefined;
  /** In pipeline.lock. */
  readonly locked: Artifact | undefined;
}

export type WhatChanged = 'data' | 'entry' | 'both';

/**
 * Which of the two changed since they last agreed; where nobody knows on what, the data. What was being put in place when that
 * was killed is not what anybody wants: it is put there as the entry has it.
 */
export async function whatChanged(
  { workspace }: Pick<Project, 'workspace'>,
  { path, seen, locked }: Differing,
  { agreed, placing }: LastKnown,
): Promise<WhatChanged> {
  const last = agreed.get(path);
  if (locked !== undefined && placing.has(path)) return 'entry';
  if (locked === undefined || last === undefined || sameArtifact(last.artifact, locked)) return 'data';
  const isAsItWas = sameArtifact(last.artifact, seen) && !(await workspace.isTouchedSince(path, last.at));
  return isAsItWas ? 'entry' : 'both';
}
