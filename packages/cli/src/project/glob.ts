import { FailureError, type ProjectPath, resolvePath } from '@dag/model';
import { expandGlob } from '@dag/pipeline';
import type { OpenProject } from './open.ts';

/** The files and folders that patterns name, seen from the user's folder. Fails for a pattern that names nothing. */
export function expandGlobs(project: OpenProject, patterns: readonly string[]): ProjectPath[] {
  const found = new Set<ProjectPath>();
  for (const pattern of patterns) {
    const path = resolvePath(project.cwd, pattern);
    const matches = path === undefined ? [] : expandGlob(project.reader, path);
    if (matches.length === 0) throw new FailureError({ code: 'usage', message: `nothing matches '${pattern}'` });
    for (const match of matches) found.add(match);
  }
  return [...found].sort();
}
