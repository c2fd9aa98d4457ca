import {
  type Artifact,
  byCodeUnit,
  type Digest,
  FailureError,
  isWithin,
  joinPath,
  type ProjectPath,
  sameArtifact,
} from '@dag/model';
import type { Store } from '@dag/store';
import type { Side } from './sides.ts';

interface Entry {
  /** Folders end in a slash. */
  readonly path: string;
  readonly hash: Digest;
  /** Bytes; of a folder, those of all its files. */
  readonly size: number;
}

/** What stands at a path. */
type Named = Pick<Artifact, 'digest' | 'size'>;

/** What differs between two sides, each list sorted by path. */
export interface Differences {
  readonly added: readonly Entry[];
  readonly deleted: readonly Entry[];
  readonly modified: readonly {
    readonly path: string;
    readonly hash: { readonly old: Digest; readonly new: Digest };
    readonly size: { readonly old: number; readonly new: number };
  }[];
  readonly renamed: readonly {
    readonly path: { readonly old: string; readonly new: string };
    readonly hash: Digest;
    readonly size: number;
  }[];
  /** What the old side names and the cache lacks. */
  readonly missing: readonly Entry[];
}

/**
 * Compares two sides, folders down to their files. Equal folders are not looked into. A folder whose listing the cache
 * lacks is shown as one.
 */
export function compare(store: Store, old: Side, now: Side): Differences {
  const added = new Map<string, Named>();
  const deleted = new Map<string, Named>();
  const modified: Differences['modified'][number][] = [];
  const isWanted = (path: ProjectPath): boolean =>
    now.within === undefined || now.within.some((target) => isWithin(target, path));
  const mayHold = (path: ProjectPath): boolean =>
    isWanted(path) || (now.within ?? []).some((target) => isWithin(path, target));
  const all = (side: Side, path: ProjectPath, artifact: Artifact, into: Map<string, Named>): void => {
    if (isWanted(path)) into.set(shown(path, artifact), artifact);
    for (const [inner, entry] of childrenOf(store, side, path, artifact) ?? []) {
      if (mayHold(inner)) all(side, inner, entry, into);
    }
  };
  const both = (path: ProjectPath, before: Artifact | undefined, after: Artifact | undefined): void => {
    if (!mayHold(path) || sameArtifact(before, after)) return;
    if (before === undefined || after === undefined || before.kind !== after.kind) {
      if (before !== undefined) all(old, path, before, deleted);
      if (after !== undefined) all(now, path, after, added);
      return;
    }
    const hash = { old: before.digest, new: after.digest };
    const size = { old: before.size, new: after.size };
    if (isWanted(path)) modified.push({ path: shown(path, before), hash, size });
    const [left, right] = [childrenOf(store, old, path, before), childrenOf(store, now, path, after)];
    if (left === undefined || right === undefined) return;
    for (const inner of new Set([...left.keys(), ...right.keys()])) both(inner, left.get(inner), right.get(inner));
  };
  for (const path of new Set([...old.roots.keys(), ...now.roots.keys()])) {
    both(path, old.roots.get(path), now.roots.get(path));
  }
  const renamed = takeRenamed(added, deleted);
  return {
    added: sorted(added),
    deleted: sorted(deleted),
    modified: modified.sort((a, b) => byCodeUnit(a.path, b.path)),
    renamed,
    missing: missingOf(store, old, mayHold, isWanted),
  };
}

/** Content that went from one path and came at another; it is taken out of both maps. */
export function takeRenamed(added: Map<string, Named>, deleted: Map<string, Named>): Differences['renamed'] {
  const gone = new Map<string, string[]>();
  const keyOf = (path: string, digest: Digest): string => `${digest}${path.endsWith('/') ? '/' : ''}`;
  for (const { path, hash } of sorted(deleted)) {
    const key = keyOf(path, hash);
    gone.set(key, [...(gone.get(key) ?? []), path]);
  }
  const renamed: Differences['renamed'][number][] = [];
  for (const { path, hash, size } of sorted(added)) {
    const from = gone.get(keyOf(path, hash))?.shift();
    if (from === undefined) continue;
    renamed.push({ path: { old: from, new: path }, hash, size });
    added.delete(path);
    deleted.delete(from);
  }
  return renamed.sort((a, b) => byCodeUnit(a.path.old, b.path.old));
}

function missingOf(
  store: Store,
  side: Side,
  mayHold: (path: ProjectPath) => boolean,
  isWanted: (path: ProjectPath) => boolean,
): Entry[] {
  const named: Entry[] = [];
  const walk = (path: ProjectPath, artifact: Artifact): void => {
    if (isWanted(path)) named.push({ path: shown(path, artifact), hash: artifact.digest, size: artifact.size });
    for (const [inner, entry] of childrenOf(store, side, path, artifact) ?? []) if (mayHold(inner)) walk(inner, entry);
  };
  for (const [path, artifact] of side.roots) if (mayHold(path)) walk(path, artifact);
  const missing = new Set(store.missing(named.map(({ hash }) => hash)));
  return named.filter(({ hash }) => missing.has(hash)).sort((a, b) => byCodeUnit(a.path, b.path));
}

/** What stands in a folder; undefined where nobody can tell. */
export function childrenOf(
  store: Store,
  side: Pick<Side, 'inside'>,
  path: ProjectPath,
  artifact: Artifact,
): Map<ProjectPath, Artifact> | undefined {
  if (artifact.kind === 'file') return new Map();
  if (side.inside !== undefined) return side.inside.get(path) ?? new Map();
  try {
    const entries = store.readTree(artifact.digest).flatMap((entry): [ProjectPath, Artifact][] => {
      if (entry.kind === 'symlink') return [];
      const { name, ...inner } = entry;
      return [[joinPath(path, name), inner]];
    });
    return new Map(entries);
  } catch (error) {
    if (error instanceof FailureError && error.failure.code === 'objects-failed') return undefined;
    throw error;
  }
}

/** A path as it is shown: folders end in a slash. */
export function shown(path: ProjectPath, artifact: Artifact): string {
  return artifact.kind === 'folder' ? `${path}/` : path;
}

function sorted(entries: ReadonlyMap<string, Named>): Entry[] {
  return [...entries]
    .map(([path, { digest, size }]) => ({ path, hash: digest, size }))
    .sort((a, b) => byCodeUnit(a.path, b.path));
}
