import { type AnyPath, type Artifact, type Dep, type LockedStage, type Stage, sameArtifact } from '@dag/model';
import type { Store } from '@dag/store';
import { knownInside } from './inside.ts';
import type { Owner, Owners } from './owners.ts';

/** A dep that the lock says to be something else than what made it, or what is tracked there. */
export interface BrokenLink {
  readonly path: AnyPath;
  readonly owner: Owner;
  /** What the reader's entry says. */
  readonly read: Artifact | undefined;
  /** What the owner's entry says; undefined where that holds nothing there. */
  readonly made: Artifact | undefined;
}

/** How the deps of a stage fit what made them, by the locks alone. */
export interface Links {
  readonly broken: readonly BrokenLink[];
  /** Deps of which the locks can't tell: a part of a folder, whose listing the cache lacks. */
  readonly unknown: readonly AnyPath[];
}

/** Compares each locked dep with the entry of its owner: the same path, a folder around it, or what lies in it. */
export function linksOf(store: Pick<Store, 'readTree'>, owners: Owners, stage: Stage, locked: LockedStage): Links {
  const broken: BrokenLink[] = [];
  const unknown: AnyPath[] = [];
  for (const { path } of stage.deps) {
    const read = locked.deps.get(path);
    if (read === undefined) continue;
    for (const { owner, made, mine } of pairsOf(store, owners, path, read)) {
      // An owner without an entry is told of by itself.
      if (owner.artifact === undefined) continue;
      if (made === 'unknown' || mine === 'unknown') unknown.push(path);
      else if (!sameArtifact(made, mine))
        broken.push({ path: owner.path.length > path.length ? owner.path : path, owner, read: mine, made });
    }
  }
  return { broken, unknown: [...new Set(unknown)] };
}

interface Pair {
  readonly owner: Owner;
  readonly made: Artifact | undefined | 'unknown';
  readonly mine: Artifact | undefined | 'unknown';
}

function pairsOf(store: Pick<Store, 'readTree'>, owners: Owners, path: AnyPath, read: Artifact): Pair[] {
  const same = owners.at(path);
  if (same !== undefined) return [{ owner: same, made: same.artifact, mine: read }];
  const around = owners.around(path);
  if (around !== undefined) {
    const { artifact } = around;
    const made = artifact && knownInside(store, artifact, path.slice(around.path.length + 1));
    return [{ owner: around, made, mine: read }];
  }
  return owners.inside(path).map((owner) => ({
    owner,
    made: owner.artifact,
    mine: knownInside(store, read, owner.path.slice(path.length + 1)),
  }));
}

/** The stage with such deps, too, as the lock has of its patterns, and that lie in what is not here. */
export function withAbsentMatches(
  stage: Stage,
  locked: LockedStage,
  globs: ReadonlyMap<Dep, (path: string) => boolean>,
  isAbsent: (path: AnyPath) => boolean,
): Stage {
  if (globs.size === 0) return stage;
  const declared = new Set(stage.deps.map(({ path }) => path));
  const more: Dep[] = [];
  const stoodFor = new Set<Dep>();
  for (const [dep, test] of globs) {
    for (const path of locked.deps.keys()) {
      if (declared.has(path) || !test(path) || !isAbsent(path)) continue;
      more.push({ path, ...(dep.pattern === undefined ? {} : { pattern: dep.pattern }) });
      declared.add(path);
      stoodFor.add(dep);
    }
  }
  if (more.length === 0) return stage;
  // A pattern without a match stands in the deps as it was written.
  const deps = stage.deps.filter((dep) => !(stoodFor.has(dep) && dep.pattern === undefined));
  return { ...stage, deps: [...deps, ...more] };
}
