import { type Artifact, FailureError, isWithin, type ProjectPath, parentPath, ROOT } from '@dag/model';
import type { WorkOptions } from '@dag/workspace';
import type { Context } from '../verb.ts';
import type { OpenProject } from './open.ts';
import { repositoryOf, requireCommit } from './roots.ts';
import { projectPaths } from './targets.ts';
import { allTracked } from './tracked.ts';
import { trackedAt } from './tracked-then.ts';

/** What is tracked at a revision, or in the workspace: one side of a comparison. */
export interface Side {
  /** Tracked paths with what stands, or stood, there. */
  readonly roots: ReadonlyMap<ProjectPath, Artifact>;
  /** What stands in each folder, where that was looked at; otherwise the trees in the cache tell. */
  readonly inside: ReadonlyMap<ProjectPath, Map<ProjectPath, Artifact>> | undefined;
  /** The parts that targets chose; undefined for all. */
  readonly within: readonly ProjectPath[] | undefined;
  /** Fails for a target that lies in nothing tracked on either side. */
  require(target: string, other: Side): void;
}

/** @returns undefined for HEAD where there is no commit yet. */
export function revisionSide(
  context: Context,
  project: OpenProject,
  revision: string,
  targets: readonly string[],
): Side | undefined {
  const repository = repositoryOf(project.root, context.io.env);
  if (revision === 'HEAD' && repository.commitOf(revision) === undefined && repository.commits().length === 0) {
    return undefined;
  }
  const commit = requireCommit(repository, revision);
  const then = trackedAt(repository, commit, project.root);
  return side(project, new Map(then.map(({ path: at, artifact }) => [at, artifact])), undefined, targets);
}

/** What stands in the workspace now. */
export async function workspaceSide(
  project: OpenProject,
  targets: readonly string[],
  options: WorkOptions,
): Promise<Side> {
  const tracked = allTracked(project).flatMap((one) => (one.cache ? [one.path] : []));
  const { roots, inside } = await standing(project, tracked, options);
  return side(project, roots, inside, targets);
}

/** What stands at paths of the workspace now, and in the folders among them. */
export async function standing(
  project: OpenProject,
  paths: readonly ProjectPath[],
  options: WorkOptions,
): Promise<{ readonly roots: Side['roots']; readonly inside: NonNullable<Side['inside']> }> {
  const found = await project.workspace.list(paths, options);
  const inside = new Map<ProjectPath, Map<ProjectPath, Artifact>>();
  for (const [at, artifact] of found) {
    const folder = parentPath(at);
    const children = inside.get(folder);
    if (children === undefined) inside.set(folder, new Map([[at, artifact]]));
    else children.set(at, artifact);
  }
  const roots = new Map<ProjectPath, Artifact>();
  for (const at of paths) {
    const artifact = found.get(at);
    if (artifact !== undefined) roots.set(at, artifact);
  }
  return { roots, inside };
}

function side(
  project: OpenProject,
  roots: ReadonlyMap<ProjectPath, Artifact>,
  inside: Side['inside'],
  targets: readonly string[],
): Side {
  const within = projectPaths(project, targets);
  const holds = (wanted: ProjectPath): boolean =>
    [...roots.keys()].some((root) => isWithin(root, wanted) || isWithin(wanted, root));
  return {
    roots,
    inside,
    within: targets.length === 0 ? undefined : within,
    require(target, other) {
      const [wanted = ROOT] = projectPaths(project, [target]);
      if (holds(wanted) || [...other.roots.keys()].some((root) => isWithin(root, wanted) || isWithin(wanted, root))) {
        return;
      }
      throw new FailureError({ code: 'usage', message: `'${target}' is tracked on neither side` });
    },
  };
}
