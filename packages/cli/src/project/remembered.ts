import fs from 'node:fs';
import path from 'node:path';
import { type ProjectPath, parseProjectPath } from '@dag/model';
import type { OpenProject } from './open.ts';
import { allTracked } from './tracked.ts';

// Which paths the workspace was last known to track, so that a checkout after `git checkout` knows what to take away.
// One path a line would not do: names may hold line ends.
const FILE = '.cache/tracked.json' as ProjectPath;

/** Writes down what is tracked and in place now. */
export function rememberTracked(project: OpenProject): void {
  const paths = allTracked(project)
    .filter((tracked) => tracked.cache && tracked.artifact !== undefined)
    .map((tracked) => tracked.path)
    .sort();
  const text = `${JSON.stringify(paths)}\n`;
  if (readText(project.root) !== text) project.workspace.writeFileAtomic(FILE, text);
}

/** The paths that were tracked when something was last put in place. Empty where nobody knows. */
export function rememberedPaths(root: string): ProjectPath[] {
  try {
    const paths: unknown = JSON.parse(readText(root) ?? '[]');
    if (!Array.isArray(paths)) return [];
    return paths.flatMap((text) => (typeof text === 'string' ? (parseProjectPath(text) ?? []) : []));
  } catch {
    return [];
  }
}

function readText(root: string): string | undefined {
  try {
    return fs.readFileSync(path.join(root, FILE), 'utf8');
  } catch {
    return undefined;
  }
}
