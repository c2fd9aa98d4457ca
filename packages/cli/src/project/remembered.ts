import fs from 'node:fs';
import path from 'node:path';
import { type ProjectPath, parseProjectPath } from '@dag/model';
import type { OpenProject } from './open.ts';
import { allTracked } from './tracked.ts';

// What the workspace was last known to hold: which paths are tracked, so that a checkout after `git checkout` knows what to
// take away, and which of them are here in part only, so that nobody takes the rest for deleted.
const FILE = '.cache/tracked.json' as ProjectPath;

interface Remembered {
  readonly paths: readonly ProjectPath[];
  readonly partial: readonly ProjectPath[];
}

export interface Placed {
  /** Tracked paths that are whole now. */
  readonly whole?: Iterable<ProjectPath>;
  /** Tracked paths of which only a part was put in place, where they had not been whole before. */
  readonly partial?: Iterable<ProjectPath>;
}

/** Writes down what is tracked now, and what of it has become whole or partial. */
export async function rememberTracked(project: OpenProject, placed: Placed = {}): Promise<void> {
  const tracked = allTracked(project).filter(({ cache, artifact }) => cache && artifact !== undefined);
  const paths = tracked.map((one) => one.path).sort();
  await project.locks.exclusively(() => {
    const whole = new Set(placed.whole ?? []);
    const parts = new Set([...readRemembered(project.root).partial, ...(placed.partial ?? [])]);
    const partial = paths.filter((one) => parts.has(one) && !whole.has(one));
    const text = `${JSON.stringify({ paths, partial })}\n`;
    if (readText(project.root) !== text) project.workspace.writeFileAtomic(FILE, text);
  });
}

/** What was written down last. Empty where nobody knows. */
export function readRemembered(root: string): Remembered {
  try {
    const { paths, partial } = JSON.parse(readText(root) ?? '{}') as Record<string, unknown>;
    return { paths: pathsOf(paths), partial: pathsOf(partial) };
  } catch {
    return { paths: [], partial: [] };
  }
}

/** The paths that were tracked when something was last put in place. */
export function rememberedPaths(root: string): readonly ProjectPath[] {
  return readRemembered(root).paths;
}

function pathsOf(list: unknown): ProjectPath[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((text) => (typeof text === 'string' ? (parseProjectPath(text) ?? []) : []));
}

function readText(root: string): string | undefined {
  try {
    return fs.readFileSync(path.join(root, FILE), 'utf8');
  } catch {
    return undefined;
  }
}
