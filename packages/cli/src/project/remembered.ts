import fs from 'node:fs';
import path from 'node:path';
import { type AnyPath, type ProjectPath, parseProjectPath, sameArtifact } from '@dag/model';
import type { OpenProject } from './open.ts';
import { allTracked } from './tracked.ts';

// What the workspace was last known to hold: which paths are tracked, so that a checkout after `git checkout` knows what to
// take away, and which of them are here in part only, so that nobody takes the rest for deleted.
const FILE = '.cache/tracked.json' as ProjectPath;

interface Remembered {
  readonly paths: readonly ProjectPath[];
  /** Those of `paths` that are outs of stages. */
  readonly outs: readonly ProjectPath[];
  readonly partial: readonly ProjectPath[];
}

/**
 * Writes down what is tracked now, and what of it is here in part: of what was so before, and of `placed`, where a part was
 * put in place just now, whatever is not what the lock says.
 */
export async function rememberTracked(project: OpenProject, placed: readonly ProjectPath[] = []): Promise<void> {
  const tracked = allTracked(project)
    .filter((one) => one.cache)
    .filter(({ artifact }) => artifact !== undefined);
  const parts = new Set([...readRemembered(project.root).partial, ...placed]);
  const candidates = tracked.filter((one) => parts.has(one.path));
  const seen = candidates.length === 0 ? undefined : await project.workspace.observe([...parts]);
  const partial = candidates.filter((one) => !sameArtifact(seen?.get(one.path), one.artifact)).map((one) => one.path);
  const outs = tracked.filter(({ kind }) => kind === 'out');
  const [paths = [], ofStages = []] = [tracked, outs].map((list) => list.map((one) => one.path).sort());
  await project.locks.exclusively(() => write(project, { paths, outs: ofStages, partial: partial.sort() }));
}

/** Takes paths out of what is remembered: from then on no checkout takes their files away. */
export async function forgetTracked(project: OpenProject, gone: readonly AnyPath[]): Promise<void> {
  const isLeft = (path: ProjectPath): boolean => !gone.includes(path);
  await project.locks.exclusively(() => {
    const { paths, outs, partial } = readRemembered(project.root);
    write(project, { paths: paths.filter(isLeft), outs: outs.filter(isLeft), partial: partial.filter(isLeft) });
  });
}

function write(project: OpenProject, { paths, outs, partial }: Remembered): void {
  const text = `${JSON.stringify({ paths, outs, partial })}\n`;
  if (readText(project.root) !== text) project.workspace.writeFileAtomic(FILE, text);
}

/** What was written down last. Empty where nobody knows. */
export function readRemembered(root: string): Remembered {
  try {
    const { paths, outs, partial } = JSON.parse(readText(root) ?? '{}') as Record<string, unknown>;
    return { paths: pathsOf(paths), outs: pathsOf(outs), partial: pathsOf(partial) };
  } catch {
    return { paths: [], outs: [], partial: [] };
  }
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
