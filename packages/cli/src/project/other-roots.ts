import { locksOf, openRepository, type Repository, withoutRepository } from '@dag/git';
import { FailureError } from '@dag/model';
import { loadPipeline } from '@dag/pipeline';
import { workspaceReader } from './files.ts';
import { lockRoots, type Revisions, type Root, revisionRoots, sparseRoots, workspaceRoots } from './roots.ts';
import { isProject } from './sharing.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The project in which a gc was asked for, and what it is to keep of its history. */
export interface Asker {
  /** undefined outside git, or where no scope needs it. */
  readonly repository: Repository | undefined;
  readonly revisions: Revisions;
  readonly env: Env;
  say(text: string): void;
}

/**
 * What another project needs of a shared cache: what its workspace names, and all of its history, which is not the asker's
 * to drop. A work tree of the asker's own repository has that in common with it: there the asker's scope holds.
 * @throws FailureError `refused` where that can't be told.
 */
export function otherProjectRoots(root: string, asker: Asker): Root[] {
  const { revisions, env, say } = asker;
  const refused = (why: string): FailureError =>
    new FailureError({
      code: 'refused',
      message: `what the project in ${root} needs can't be told: ${why}`,
      hint: 'mend it first: what it uses might be removed',
    });
  try {
    const roots = isProject(root) ? lockedNow(root, refused) : [];
    const repository = openRepository(root, withoutRepository(env));
    if (repository === undefined) return roots;
    roots.push(...sparseRoots(root, repository));
    if (repository.home === asker.repository?.home) return [...roots, ...revisionRoots(repository, revisions)];
    const [end] = repository.cutAt();
    if (end !== undefined) {
      say(`warning: the clone in ${root} is shallow: nothing is kept for what lies before ${end.slice(0, 7)} in it`);
    }
    for (const { lock, commit, file, isLacking } of locksOf(repository, repository.commits())) {
      const at = `${file} of commit ${commit.slice(0, 7)}`;
      if (lock !== undefined) roots.push(...lockRoots(lock, root));
      else if (isLacking) throw refused(`git lacks ${at}`);
      else say(`warning: ${at} in ${root} is no lock that can be read: it keeps nothing, as it can't be checked out`);
    }
    return roots;
  } catch (error) {
    if (error instanceof FailureError && error.failure.code === 'invalid-pipeline') throw refused(error.message);
    throw error;
  }
}

function lockedNow(root: string, refused: (why: string) => FailureError): Root[] {
  const { pipeline, diagnostics } = loadPipeline(workspaceReader(root));
  if (pipeline === undefined) throw refused(diagnostics[0]?.message ?? 'its pipeline is invalid');
  return workspaceRoots(root, pipeline.files).map((one) => ({ ...one, from: root }));
}
