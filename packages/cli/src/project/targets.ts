import path from 'node:path';
import { FailureError, type ProjectPath } from '@dag/model';
import type { OpenProject } from './open.ts';
import { toProjectPath } from './root.ts';

/** Paths on the command line as paths of the project. @throws FailureError `usage` for one that lies outside. */
export function projectPaths(project: OpenProject, targets: readonly string[]): ProjectPath[] {
  return targets.map((target) => {
    const found = toProjectPath(project.root, path.join(project.root, project.cwd), target);
    if (found !== undefined) return found;
    throw new FailureError({ code: 'usage', message: `'${target}' does not lie inside the project` });
  });
}
