import { type Artifact, byCodeUnit, isWithin, type ProjectPath, sameArtifact } from '@dag/model';
import type { Store } from '@dag/store';
import { childrenOf, shown, takeRenamed } from './compare.ts';
import type { Side } from './sides.ts';

/** Tracked paths with what stands there, at one of three places: HEAD, pipeline.lock, the workspace. */
export type DataSide = Pick<Side, 'roots' | 'inside'>;

/** Which of tracked data is looked at, and how closely. */
export interface DataScope {
  /** Folders are shown with the files inside them. */
  readonly granular: boolean;
  /** Only what lies in these paths; undefined for all. What they name inside a folder is shown though `granular` is false. */
  readonly within: readonly ProjectPath[] | undefined;
}

/** What differs between two sides, each list sorted; folders end in a slash. */
export interface DataChanges {
  readonly added: readonly string[];
  readonly modified: readonly string[];
  readonly renamed: readonly { readonly old: string; readonly new: string }[];
  readonly deleted: readonly string[];
  /** Files of changed folders of which nobody can tell what they were: the cache lacks the listing. */
  readonly unknown: readonly string[];
}

/**
 * Compares two sides: tracked paths, and the files inside folders where the scope asks for them. Folders inside tracked ones are
 * shown by their files.
 * @param unchanged gets what is the same on both sides, a folder for all that is inside where its listing is lost; where it is
 * left out, equal folders are not looked into.
 */
export function dataChanges(
  store: Store,
  old: DataSide,
  now: DataSide,
  scope: DataScope,
  unchanged?: Set<string>,
): DataChanges {
  const { isWanted, mayHold, opens } = reach(scope);
  const added = new Map<string, Artifact>();
  const deleted = new Map<string, Artifact>();
  const modified: string[] = [];
  const unknown: string[] = [];
  const report = (path: ProjectPath, before: Artifact | undefined, after: Artifact | undefined): void => {
    if (!isWanted(path)) return;
    if (before === undefined) {
      if (after !== undefined) added.set(shown(path, after), after);
    } else if (after === undefined) deleted.set(shown(path, before), before);
    else if (sameArtifact(before, after)) unchanged?.add(shown(path, after));
    else modified.push(shown(path, after));
  };
  const look = (path: ProjectPath, before: Artifact | undefined, after: Artifact | undefined): void => {
    const same = sameArtifact(before, after);
    if (!mayHold(path) || (same && unchanged === undefined)) return;
    const left = inside(store, old, path, before);
    const right = inside(store, now, path, after);
    if (left !== undefined && right !== undefined) {
      for (const inner of new Set([...left.keys(), ...right.keys()])) {
        enter(inner, left.get(inner), right.get(inner));
      }
    } else if (same) {
      const known = left ?? right;
      if (known === undefined && before !== undefined) unchanged?.add(shown(path, before));
      for (const [inner, entry] of known ?? []) enter(inner, entry, entry);
    } else if (right !== undefined) {
      for (const [inner, entry] of right) unknown.push(...filesAt(inner, entry));
    }
  };
  const enter = (path: ProjectPath, before: Artifact | undefined, after: Artifact | undefined): void => {
    // A file in the place of a folder, or the other way round, is one that came and one that went.
    report(path, fileOnly(before), fileOnly(after));
    look(path, before, after);
  };
  const filesAt = (path: ProjectPath, artifact: Artifact): string[] => {
    if (artifact.kind === 'file') return isWanted(path) ? [path] : [];
    return [...(inside(store, now, path, artifact) ?? [])].flatMap(([inner, entry]) => filesAt(inner, entry));
  };
  for (const path of new Set([...old.roots.keys(), ...now.roots.keys()])) {
    const [before, after] = [old.roots.get(path), now.roots.get(path)];
    report(path, before, after);
    if (opens(path)) look(path, before, after);
  }
  const renamed = takeRenamed(added, deleted).map(({ path }) => path);
  return {
    added: [...added.keys()].sort(byCodeUnit),
    modified: modified.sort(byCodeUnit),
    renamed,
    deleted: [...deleted.keys()].sort(byCodeUnit),
    unknown: unknown.sort(byCodeUnit),
  };
}

/** Something that a side names. */
export interface NamedData {
  /** The tracked path that it is, or lies in. */
  readonly root: ProjectPath;
  /** Folders end in a slash. */
  readonly path: string;
  readonly artifact: Artifact;
  /** Whether it stands for all that is inside. */
  readonly whole: boolean;
}

/** What a side names within the scope: tracked paths, the files inside, folders on the way whose listing the cache lacks. */
export function dataNamed(store: Store, side: DataSide, scope: DataScope): NamedData[] {
  const { isWanted, mayHold, opens } = reach(scope);
  const named: NamedData[] = [];
  const visit = (root: ProjectPath, path: ProjectPath, artifact: Artifact): void => {
    const looksInside = artifact.kind === 'folder' && opens(root) && mayHold(path);
    const children = looksInside ? childrenOf(store, side, path, artifact) : undefined;
    const isShown = path === root || artifact.kind === 'file' || children === undefined;
    if (isShown && isWanted(path)) {
      named.push({ root, path: shown(path, artifact), artifact, whole: !looksInside });
    }
    for (const [inner, entry] of children ?? []) visit(root, inner, entry);
  };
  for (const [path, artifact] of side.roots) visit(path, path, artifact);
  return named.sort((a, b) => byCodeUnit(a.path, b.path));
}

function reach({ granular, within }: DataScope) {
  const isWanted = (path: ProjectPath): boolean => within === undefined || within.some((one) => isWithin(one, path));
  const leadsTo = (path: ProjectPath): boolean => within?.some((one) => one !== path && isWithin(path, one)) === true;
  return {
    isWanted,
    /** Whether anything inside a path may be wanted. */
    mayHold: (path: ProjectPath): boolean => isWanted(path) || leadsTo(path),
    /** Whether a tracked path is shown with what is inside. */
    opens: (root: ProjectPath): boolean => granular || leadsTo(root),
  };
}

function inside(
  store: Store,
  side: DataSide,
  path: ProjectPath,
  artifact: Artifact | undefined,
): Map<ProjectPath, Artifact> | undefined {
  return artifact === undefined ? new Map() : childrenOf(store, side, path, artifact);
}

function fileOnly(artifact: Artifact | undefined): Artifact | undefined {
  return artifact?.kind === 'file' ? artifact : undefined;
}
