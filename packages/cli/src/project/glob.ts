import fs from 'node:fs';
import path from 'node:path';
import { FailureError, type ProjectPath } from '@dag/model';
import type { OpenProject } from './open.ts';
import { toProjectPath } from './root.ts';

/** The files and folders that patterns name, relative to `cwd`. Fails for a pattern that names nothing. */
export function expandGlobs(project: OpenProject, cwd: string, patterns: readonly string[]): ProjectPath[] {
  const found = new Set<ProjectPath>();
  for (const pattern of patterns) {
    const before = found.size;
    for (const match of matches(cwd, pattern)) {
      const inside = toProjectPath(project.root, fs.realpathSync(cwd), match);
      if (inside !== undefined && inside !== '') found.add(inside);
    }
    if (found.size === before) throw new FailureError({ code: 'usage', message: `nothing matches '${pattern}'` });
  }
  return [...found].sort();
}

/** Own hidden folders are never looked into, unless the pattern names them. */
function* matches(cwd: string, pattern: string): Generator<string> {
  const parts = pattern.split('/').filter((part) => part !== '' && part !== '.');
  yield* walk(pattern.startsWith('/') ? '/' : cwd, parts);
}

function* walk(folder: string, [part, ...rest]: readonly string[]): Generator<string> {
  if (part === undefined) return;
  if (part === '..') {
    yield* walk(path.dirname(folder), rest);
    return;
  }
  const names = fs.readdirSync(folder, { withFileTypes: true });
  if (part === '**') yield* walk(folder, rest.length === 0 ? ['*'] : rest);
  for (const entry of names) {
    if (entry.name.startsWith('.') && !part.startsWith('.')) continue;
    const at = path.join(folder, entry.name);
    if (part === '**') {
      if (entry.isDirectory()) yield* walk(at, [part, ...rest]);
    } else if (path.matchesGlob(entry.name, part)) {
      if (rest.length === 0) yield at;
      else if (entry.isDirectory()) yield* walk(at, rest);
    }
  }
}
