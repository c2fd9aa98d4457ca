import type { Artifact, Lock, LockedStage, ProjectPath } from '@dag/model';
import { renderLock } from './render.ts';

/** What two versions of a pipeline.lock come to. */
export interface MergedLock {
  readonly lock: Lock;
  /** Stages that each side changed in its own way. They are in the lock no more, so that they are decided anew. */
  readonly stale: readonly string[];
  /** Tracked data that each side changed in its own way. The lock has ours; where we have none, theirs. */
  readonly conflicts: readonly DataConflict[];
}

/** One tracked path that two sides changed; undefined for a side that tracks it no longer. */
export interface DataConflict {
  readonly path: ProjectPath;
  readonly ours: Artifact | undefined;
  readonly theirs: Artifact | undefined;
}

/** Merges what two sides made of tracked data; undefined where that can't be done. */
export type DataMerge = (
  path: ProjectPath,
  base: Artifact | undefined,
  ours: Artifact,
  theirs: Artifact,
) => Artifact | undefined;

/**
 * Merges two versions of a lock, entry by entry: one that only one side changed is taken from it. No entry of a stage is
 * ever made of two, since it tells of one run.
 * @param file the lock's path, from the project root.
 */
export function mergeLocks(
  { base, ours, theirs }: { readonly base: Lock; readonly ours: Lock; readonly theirs: Lock },
  file: ProjectPath,
  mergeData: DataMerge,
): MergedLock {
  const stages = new Map<string, LockedStage>();
  const stale: string[] = [];
  const isSameStage = (a: LockedStage, b: LockedStage): boolean => stageText(a, file) === stageText(b, file);
  for (const name of names(ours.stages, theirs.stages)) {
    const [mine, yours] = [ours.stages.get(name), theirs.stages.get(name)];
    const chosen = choose(base.stages.get(name), mine, yours, isSameStage);
    if (chosen === 'both') stale.push(name);
    else if (chosen !== undefined) stages.set(name, chosen);
  }
  const data = new Map<ProjectPath, Artifact>();
  const conflicts: DataConflict[] = [];
  for (const path of names(ours.data, theirs.data)) {
    const [was, mine, yours] = [base.data.get(path), ours.data.get(path), theirs.data.get(path)];
    const chosen = choose(was, mine, yours, isSameArtifact);
    const one =
      chosen === 'both' && mine !== undefined && yours !== undefined ? mergeData(path, was, mine, yours) : chosen;
    if (one === 'both' || (one === undefined && chosen === 'both')) {
      conflicts.push({ path, ours: mine, theirs: yours });
      data.set(path, (mine ?? yours) as Artifact);
    } else if (one !== undefined) {
      data.set(path, one);
    }
  }
  return { lock: { stages, data }, stale, conflicts };
}

/** Of two versions the one that is another than before; `both` where both are. */
function choose<T>(
  base: T | undefined,
  ours: T | undefined,
  theirs: T | undefined,
  isSame: (a: T, b: T) => boolean,
): T | undefined | 'both' {
  const same = (a: T | undefined, b: T | undefined): boolean =>
    a === undefined || b === undefined ? a === b : isSame(a, b);
  if (same(ours, theirs) || same(theirs, base)) return ours;
  return same(ours, base) ? theirs : 'both';
}

function names<K>(a: ReadonlyMap<K, unknown>, b: ReadonlyMap<K, unknown>): Set<K> {
  return new Set([...a.keys(), ...b.keys()]);
}

function stageText(stage: LockedStage, file: ProjectPath): string {
  return renderLock({ stages: new Map([['stage', stage]]), data: new Map() }, file);
}

function isSameArtifact(a: Artifact, b: Artifact): boolean {
  if (a.kind !== b.kind || a.digest !== b.digest) return false;
  return a.kind === 'folder' || (b.kind === 'file' && a.executable === b.executable);
}

/** What git calls the sides of a conflict. */
export interface SideNames {
  readonly ours: string;
  readonly theirs: string;
}

/** Writes a merged lock as `renderLock` does, with git's conflict markers around each entry that a person must choose. */
export function renderMerged({ lock, conflicts }: MergedLock, file: ProjectPath, sides: SideNames): string {
  let text = renderLock(lock, file);
  for (const { path, ours, theirs } of conflicts) {
    const line = (artifact: Artifact | undefined): string =>
      artifact === undefined ? '' : entryText(path, artifact, file);
    const chosen = line(ours ?? theirs);
    const marked = `<<<<<<< ${sides.ours}\n${line(ours)}=======\n${line(theirs)}>>>>>>> ${sides.theirs}\n`;
    text = text.replace(chosen, () => marked);
  }
  return text;
}

/** The line of tracked data. It stands before all stages, where no line is like it. */
function entryText(path: ProjectPath, artifact: Artifact, file: ProjectPath): string {
  const text = renderLock({ stages: new Map(), data: new Map([[path, artifact]]) }, file);
  return text.slice(text.indexOf('data:\n') + 'data:\n'.length);
}

/**
 * The two texts that a text with git's conflict markers stands for, in any of git's conflict styles.
 * @returns undefined where there are no markers, or they don't fit together.
 */
export function splitConflicts(text: string): { readonly ours: string; readonly theirs: string } | undefined {
  let [ours, theirs] = ['', ''];
  let side: 'both' | 'ours' | 'base' | 'theirs' = 'both';
  let found = 0;
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    const marker = /^(<{7}|\|{7}|={7}|>{7})(?: .*)?\r?\n?$/.exec(line)?.[1]?.[0];
    if (marker === '<' && side === 'both') side = 'ours';
    else if (marker === '|' && side === 'ours') side = 'base';
    else if (marker === '=' && (side === 'ours' || side === 'base')) side = 'theirs';
    else if (marker === '>' && side === 'theirs') {
      side = 'both';
      found++;
    } else if (marker !== undefined) return undefined;
    else {
      if (side === 'both' || side === 'ours') ours += line;
      if (side === 'both' || side === 'theirs') theirs += line;
    }
  }
  return side === 'both' && found > 0 ? { ours, theirs } : undefined;
}
