import type { AnyPath, Artifact, LockedStage, ProjectPath, Stage } from '@dag/model';
import { isInside } from '@dag/model';
import type { FetchItem, Project } from '../project.ts';
import { knownInside } from './inside.ts';
import type { Owner, Owners } from './owners.ts';

/**
 * What a stage reads that git does not have, as its own lock entry says that it was: deps that are made or tracked, or lie in
 * or around such; and params files and modules that are.
 */
export function inputsOf(
  project: Pick<Project, 'store'>,
  owners: Owners,
  stage: Stage,
  locked: LockedStage,
): FetchItem[] {
  const items = new Map<ProjectPath, Artifact>();
  const add = (path: AnyPath, artifact: Artifact | undefined): void => {
    if (artifact !== undefined && isInside(path)) items.set(path, artifact);
  };
  for (const [path, artifact] of locked.deps) {
    if ((owners.at(path) ?? owners.around(path)) !== undefined) add(path, artifact);
    for (const owner of owners.inside(path)) {
      const inner = knownInside(project.store, artifact, owner.path.slice(path.length + 1));
      add(owner.path, inner === 'unknown' ? owner.artifact : inner);
    }
  }
  const files = [
    ...stage.params.map(({ file }) => file),
    ...(stage.action.kind === 'worker' ? [stage.action.module] : []),
  ];
  for (const file of files) {
    const owner: Owner | undefined = owners.at(file) ?? owners.around(file);
    if (owner !== undefined && !items.has(owner.path as ProjectPath)) add(owner.path, owner.artifact);
  }
  return [...items].map(([path, artifact]) => ({ path, artifact }));
}
