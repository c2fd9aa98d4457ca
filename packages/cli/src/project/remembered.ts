import fs from 'node:fs';
import path from 'node:path';
import type { LastAgreed } from '@dag/engine';
import { type AnyPath, type Artifact, type ProjectPath, parseProjectPath, sameArtifact } from '@dag/model';
import type { OpenProject } from './open.ts';
import { allTracked, type CachedPath } from './tracked.ts';

// What the workspace was last known to hold: which paths are tracked, so that a checkout after `git checkout` knows what to
// take away; which of them are here in part only, so that nobody takes the rest for deleted; and what data and its lock entry
// last agreed on, so that nobody takes an entry that git changed for data that the user changed.
const FILE = '.cache/tracked.json' as ProjectPath;

interface Remembered {
  readonly paths: readonly ProjectPath[];
  /** Those of `paths` that are outs of stages. */
  readonly outs: readonly ProjectPath[];
  readonly partial: readonly ProjectPath[];
  readonly agreed: ReadonlyMap<ProjectPath, LastAgreed>;
}

/** What a verb has just done. */
interface Done {
  /** A part of it, perhaps, was put in place. */
  readonly parts?: readonly ProjectPath[];
  /** Put in place or recorded, and what it was then. Of other data it is found out whether it agrees with the lock. */
  readonly settled?: ReadonlyMap<AnyPath, Artifact>;
}

/**
 * Writes down what is tracked now, what of it is here in part (of what was so before, and of `parts`, whatever is not what the
 * lock says), and on what data and lock agree.
 */
export async function rememberTracked(project: OpenProject, { parts = [], settled }: Done = {}): Promise<void> {
  const tracked = allTracked(project)
    .filter((one): one is CachedPath => one.cache)
    .filter(({ artifact }) => artifact !== undefined);
  const before = readRemembered(project.root);
  const maybeParts = new Set([...before.partial, ...parts]);
  const data = tracked.filter(({ kind }) => kind === 'data');
  const isKnown = ({ path, artifact }: CachedPath): boolean =>
    settled?.has(path) === true || sameArtifact(before.agreed.get(path)?.artifact, artifact);
  const unsure = [...maybeParts, ...data.filter((one) => !isKnown(one)).map((one) => one.path)];
  const seen = unsure.length === 0 ? undefined : await project.workspace.observe(unsure);
  const isThere = ({ path, artifact }: CachedPath): boolean => sameArtifact(seen?.get(path), artifact);
  const partial = tracked.filter((one) => maybeParts.has(one.path) && !isThere(one)).map((one) => one.path);
  // A file may be of the same millisecond.
  const at = Date.now() + 1;
  const agreed = new Map<ProjectPath, LastAgreed>();
  for (const one of data) {
    const { path } = one;
    const artifact = settled?.get(path) ?? (isThere(one) && !isKnown(one) ? one.artifact : undefined);
    const last = artifact === undefined ? before.agreed.get(path) : { artifact, at };
    if (last !== undefined) agreed.set(path, last);
  }
  const outs = tracked.filter(({ kind }) => kind === 'out');
  const [paths = [], ofStages = []] = [tracked, outs].map((list) => list.map((one) => one.path).sort());
  const now = { paths, outs: ofStages, partial: partial.sort(), agreed };
  await project.locks.exclusively(() => write(project, now));
}

/** Takes paths out of what is remembered: from then on no checkout takes their files away. */
export async function forgetTracked(project: OpenProject, gone: readonly AnyPath[]): Promise<void> {
  const isLeft = (path: ProjectPath): boolean => !gone.includes(path);
  await project.locks.exclusively(() => {
    const { paths, outs, partial, agreed } = readRemembered(project.root);
    const left = new Map([...agreed].filter(([path]) => isLeft(path)));
    const now = {
      paths: paths.filter(isLeft),
      outs: outs.filter(isLeft),
      partial: partial.filter(isLeft),
      agreed: left,
    };
    write(project, now);
  });
}

function write(project: OpenProject, { paths, outs, partial, agreed }: Remembered): void {
  const text = `${JSON.stringify({ paths, outs, partial, agreed: Object.fromEntries(agreed) })}\n`;
  if (readText(project.root) !== text) project.workspace.writeFileAtomic(FILE, text);
}

/** What was written down last. Empty where nobody knows. */
export function readRemembered(root: string): Remembered {
  try {
    const { paths, outs, partial, agreed } = JSON.parse(readText(root) ?? '{}') as Record<string, unknown>;
    return { paths: pathsOf(paths), outs: pathsOf(outs), partial: pathsOf(partial), agreed: agreedOf(agreed) };
  } catch {
    return { paths: [], outs: [], partial: [], agreed: new Map() };
  }
}

function pathsOf(list: unknown): ProjectPath[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((text) => (typeof text === 'string' ? (parseProjectPath(text) ?? []) : []));
}

/** Artifacts are held against others and nothing more: of one that is damaged it does that it is like no other. */
function agreedOf(entries: unknown): Map<ProjectPath, LastAgreed> {
  const found = new Map<ProjectPath, LastAgreed>();
  for (const [text, entry] of Object.entries((entries ?? {}) as Record<string, Partial<LastAgreed>>)) {
    const path = parseProjectPath(text);
    if (path === undefined || typeof entry.at !== 'number' || typeof entry.artifact !== 'object') continue;
    found.set(path, { artifact: entry.artifact, at: entry.at });
  }
  return found;
}

function readText(root: string): string | undefined {
  try {
    return fs.readFileSync(path.join(root, FILE), 'utf8');
  } catch {
    return undefined;
  }
}
