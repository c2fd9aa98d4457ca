import fs from 'node:fs';
import path from 'node:path';
import type { LastAgreed } from '@dag/engine';
import {
  type AnyPath,
  type Artifact,
  FailureError,
  type ProjectPath,
  parseProjectPath,
  sameArtifact,
} from '@dag/model';
import type { OpenProject } from './open.ts';
import { allTracked, type CachedPath } from './tracked.ts';

// What the workspace was last known to hold: which paths are tracked, so that a checkout after `git checkout` knows what to
// take away; which of them are here in part only, or were being placed when that was killed, so that nobody takes the rest for
// deleted; and what data and its lock entry last agreed on, so that nobody takes an entry that git changed for data that the
// user changed.
const FILE = '.cache/tracked.json' as ProjectPath;

interface Remembered {
  readonly paths: readonly ProjectPath[];
  /** Those of `paths` that are outs of stages. */
  readonly outs: readonly ProjectPath[];
  readonly partial: readonly ProjectPath[];
  readonly placing: readonly ProjectPath[];
  readonly agreed: ReadonlyMap<ProjectPath, LastAgreed>;
}

/** What a verb has just done. */
interface Done {
  /** A part of it, perhaps, was put in place. */
  readonly parts?: readonly ProjectPath[];
  /** Put in place or recorded, and what it was then. Of other data it is found out whether it agrees with the lock. */
  readonly settled?: ReadonlyMap<AnyPath, Artifact>;
  /** What is tracked no longer was taken away: what stands there all the same is the user's. */
  readonly swept?: boolean;
}

/**
 * Writes down what is tracked now, what of it is here in part (of what was so before, and of `parts`, whatever is not what the
 * lock says), and on what data and lock agree. What another revision tracks, or a pipeline.yaml that can't be read, is kept in
 * mind for as long as it stands.
 */
export async function rememberTracked(project: OpenProject, { parts = [], settled, swept }: Done = {}): Promise<void> {
  const tracked = allTracked(project)
    .filter((one): one is CachedPath => one.cache)
    .filter(({ artifact }) => artifact !== undefined);
  const data = tracked.filter(({ kind }) => kind === 'data');
  const earlier = readRemembered(project.root);
  const maybeParts = new Set([...earlier.partial, ...earlier.placing, ...parts]);
  const isKnown = ({ path, artifact }: CachedPath): boolean =>
    settled?.has(path) === true || sameArtifact(earlier.agreed.get(path)?.artifact, artifact);
  const candidates = [...maybeParts, ...data.filter((one) => !isKnown(one)).map((one) => one.path)];
  const unsure = new Set(candidates.filter((path) => settled?.has(path) !== true));
  const at = unsure.size === 0 && settled === undefined ? 0 : project.workspace.fileTime();
  const seen = unsure.size === 0 ? undefined : await observeUnlessBusy(project, [...unsure]);
  const isThere = ({ path, artifact }: CachedPath): boolean => sameArtifact(seen?.get(path), artifact);
  const found = new Map<AnyPath, Artifact | undefined>(settled);
  for (const one of data) if (!found.has(one.path) && isThere(one)) found.set(one.path, one.artifact);
  const whole = new Set<AnyPath>(tracked.filter(isThere).map(({ path }) => path));
  const current = new Set(tracked.map(({ path }) => path));
  await change(project, (before) => {
    const isKept = (path: ProjectPath): boolean => !current.has(path) && swept !== true && stands(project, path);
    const agreed = new Map([...before.agreed].filter(([path]) => current.has(path) || isKept(path)));
    for (const { path } of data) {
      const artifact = found.get(path);
      // Another process has seen it since.
      const isOld = settled?.has(path) !== true && agreed.get(path)?.at !== earlier.agreed.get(path)?.at;
      if (artifact !== undefined && !isOld) agreed.set(path, { artifact, at });
    }
    const outs = tracked.filter(({ kind }) => kind === 'out').map(({ path }) => path);
    const isLeft = (path: ProjectPath): boolean => {
      if (!current.has(path)) return isKept(path);
      return !whole.has(path) && settled?.has(path) !== true;
    };
    return {
      paths: [...current, ...before.paths.filter(isKept)],
      outs: [...outs, ...before.outs.filter(isKept)],
      partial: [...new Set([...before.partial, ...parts])].filter(isLeft),
      placing: before.placing.filter(isLeft),
      agreed,
    };
  });
}

/** Nothing, where something vanishes while it is looked at: another process places data there, and notes that itself. */
async function observeUnlessBusy({ workspace }: OpenProject, paths: readonly ProjectPath[]) {
  try {
    return await workspace.observe(paths);
  } catch (error) {
    const cause = error instanceof FailureError ? error.cause : undefined;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Before data is put in place; `parts`: tracked folders of which only something inside is. */
export async function rememberPlacing(
  project: WithFiles,
  whole: readonly ProjectPath[],
  parts: readonly ProjectPath[] = [],
): Promise<void> {
  await change(project, (before) => ({
    ...before,
    paths: [...new Set([...before.paths, ...whole])],
    partial: [...new Set([...before.partial, ...parts])],
    placing: [...new Set([...before.placing, ...whole])],
  }));
}

/** Data is what its entry says, all of it. */
export async function rememberSettled(project: WithFiles, settled: ReadonlyMap<ProjectPath, Artifact>): Promise<void> {
  const at = project.workspace.fileTime();
  await change(project, ({ partial, placing, agreed, ...before }) => ({
    ...before,
    partial: partial.filter((path) => !settled.has(path)),
    placing: placing.filter((path) => !settled.has(path)),
    agreed: new Map([...agreed, ...[...settled].map(([path, artifact]) => [path, { artifact, at }] as const)]),
  }));
}

/** Takes paths out of what is remembered: from then on no checkout takes their files away. */
export async function forgetTracked(project: OpenProject, gone: readonly AnyPath[]): Promise<void> {
  const isLeft = (path: ProjectPath): boolean => !gone.includes(path);
  await change(project, ({ paths, outs, partial, placing, agreed }) => ({
    paths: paths.filter(isLeft),
    outs: outs.filter(isLeft),
    partial: partial.filter(isLeft),
    placing: placing.filter(isLeft),
    agreed: new Map([...agreed].filter(([path]) => isLeft(path))),
  }));
}

type WithFiles = Pick<OpenProject, 'root' | 'locks' | 'workspace'>;

/** Over what stands there at that moment: other processes write there too. */
async function change({ root, locks, workspace }: WithFiles, to: (before: Remembered) => Remembered): Promise<void> {
  await locks.exclusively(() => {
    const { agreed, ...lists } = to(readRemembered(root));
    const sorted = Object.entries(lists).map(([name, paths]) => [name, [...paths].sort()]);
    const text = `${JSON.stringify({ ...Object.fromEntries(sorted), agreed: Object.fromEntries(agreed) })}\n`;
    if (readText(root) !== text) workspace.writeFileAtomic(FILE, text);
  });
}

function stands({ root }: WithFiles, at: ProjectPath): boolean {
  return fs.lstatSync(path.join(root, at), { throwIfNoEntry: false }) !== undefined;
}

/** What was written down last. Empty where nobody knows. */
export function readRemembered(root: string): Remembered {
  try {
    const { paths, outs, partial, placing, agreed } = JSON.parse(readText(root) ?? '{}') as Record<string, unknown>;
    const lists = { paths: pathsOf(paths), outs: pathsOf(outs), partial: pathsOf(partial), placing: pathsOf(placing) };
    return { ...lists, agreed: agreedOf(agreed) };
  } catch {
    return { paths: [], outs: [], partial: [], placing: [], agreed: new Map() };
  }
}

function pathsOf(list: unknown): ProjectPath[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((text) => (typeof text === 'string' ? (parseProjectPath(text) ?? []) : []));
}

/** Artifacts are held against others and nothing more: of one that is damaged it does that it is like no other. */
function agreedOf(entries: unknown): Map<ProjectPath, LastAgreed> {
  const found = new Map<ProjectPath, LastAgreed>();
  for (const [text, entry] of Object.entries((entries ?? {}) as Record<string, Partial<LastAgreed> | null>)) {
    const [path, artifact, at] = [parseProjectPath(text), entry?.artifact, entry?.at];
    if (path === undefined || typeof at !== 'number' || typeof artifact?.digest !== 'string') continue;
    found.set(path, { artifact, at });
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
