import { compareInputs } from '@dag/engine';
import {
  type AnyPath,
  byCodeUnit,
  type Change,
  type LockedStage,
  ROOT,
  type StageAddress,
  sameArtifact,
} from '@dag/model';
import type { Snapshot } from './snapshot.ts';

/** How the stages of two snapshots differ, by what each ran with last; sorted by address. */
export interface StageDifferences {
  readonly added: readonly StageAddress[];
  readonly deleted: readonly StageAddress[];
  readonly modified: ReadonlyMap<StageAddress, readonly Change[]>;
}

/** Compares what the locks of two snapshots say of each stage: command, deps, params, variables, outs. */
export function compareStages(old: Snapshot, now: Snapshot): StageDifferences {
  const [before, after] = [old.lockedStages(), now.lockedStages()];
  const modified = new Map<StageAddress, readonly Change[]>();
  for (const address of [...before.keys()].sort(byCodeUnit)) {
    const [was, is] = [before.get(address), after.get(address)];
    const changes = was === undefined || is === undefined ? [] : changesOf(was, is);
    if (changes.length > 0) modified.set(address, changes);
  }
  const only = (some: typeof before, others: typeof before): StageAddress[] =>
    [...some.keys()].filter((address) => !others.has(address)).sort(byCodeUnit);
  return { added: only(after, before), deleted: only(before, after), modified };
}

function changesOf(was: LockedStage, is: LockedStage): Change[] {
  const inputs = compareInputs(
    { ...was, wdir: was.wdir ?? ROOT },
    { ...is, wdir: is.wdir ?? ROOT, outs: new Set(is.outs.keys()) },
    {
      deps: new Set(is.deps.keys()),
      params: (file, key) => (is.params.get(file)?.has(key) === true ? 'named' : undefined),
    },
  );
  const made = [...was.outs].flatMap(([path, before]): Change[] => {
    const after = is.outs.get(path as AnyPath);
    if (after === undefined || sameArtifact(before, after)) return [];
    return [{ changed: 'out', path, how: 'modified', before, after }];
  });
  return [...inputs, ...made];
}
