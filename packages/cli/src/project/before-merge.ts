import fs from 'node:fs';
import path from 'node:path';
import { openRepository } from '@dag/git';
import { type Artifact, groupBy, type ProjectPath } from '@dag/model';
import { gitFolder } from './git.ts';
import { trackedAt } from './tracked-then.ts';

/** What git's folder holds while it waits for the user to settle something. */
const UNDER_WAY = ['MERGE_HEAD', 'CHERRY_PICK_HEAD', 'REVERT_HEAD', 'SQUASH_MSG', 'rebase-merge', 'rebase-apply'];

/** Where the work tree may have stood when git began: a rebase leaves HEAD, and the data stays where it was. */
const BEGAN_AT = ['HEAD', 'ORIG_HEAD', 'REBASE_HEAD'];

/**
 * What pipeline.lock named at a path before git began the merge, rebase, cherry-pick or revert that it has stopped in; nothing
 * where it has stopped in none. Git is asked at the first call.
 */
export function lockedBefore(
  root: string,
  env: Readonly<Record<string, string | undefined>>,
): (path: ProjectPath) => readonly Artifact[] {
  let known: ReadonlyMap<ProjectPath, readonly { readonly artifact: Artifact }[]> | undefined;
  return (at) => {
    known ??= groupBy(isUnderWay(root) ? trackedWhenItBegan(root, env) : [], ({ path: one }) => one);
    return (known.get(at) ?? []).map(({ artifact }) => artifact);
  };
}

function isUnderWay(root: string): boolean {
  const folder = gitFolder(root);
  return folder !== undefined && UNDER_WAY.some((name) => fs.existsSync(path.join(folder, name)));
}

function trackedWhenItBegan(root: string, env: Readonly<Record<string, string | undefined>>) {
  const repository = openRepository(root, env);
  if (repository === undefined) return [];
  const commits = new Set(BEGAN_AT.flatMap((name) => repository.commitOf(name) ?? []));
  return [...commits].flatMap((commit) => trackedAt(repository, commit, root));
}
