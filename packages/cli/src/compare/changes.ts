import { type AnyPath, byCodeUnit, sameValue } from '@dag/model';
import { type Node, type ScalarNode, toValue } from '@dag/pipeline';
import { leavesOf, type ValueFiles } from './values.ts';

/** A value at two snapshots; undefined where there is none, or where it is null. */
export interface ValueChange {
  readonly old: Node | undefined;
  readonly new: Node | undefined;
  /** New minus old, of numbers. */
  readonly diff: ScalarNode | undefined;
}

/** Changed values by file and dotted key, both sorted. */
export type ValueChanges = ReadonlyMap<AnyPath, ReadonlyMap<string, ValueChange>>;

/**
 * What differs between two snapshots; with `all`, what does not, too. 1 and 1.0 are equal; 1, "1" and true are not. A file
 * that could not be read has no values.
 */
export function compareValues(old: ValueFiles, now: ValueFiles, { all }: { readonly all: boolean }): ValueChanges {
  const [before, after] = [valuesOf(old), valuesOf(now)];
  const changes = new Map<AnyPath, ReadonlyMap<string, ValueChange>>();
  for (const path of [...new Set([...before.keys(), ...after.keys()])].sort(byCodeUnit)) {
    const changed = changesIn(before.get(path) ?? NONE, after.get(path) ?? NONE, all);
    if (changed.size > 0) changes.set(path, changed);
  }
  return changes;
}

type Leaves = ReadonlyMap<string, Node>;

const NONE: Leaves = new Map();

function valuesOf(values: ValueFiles): Map<AnyPath, Leaves> {
  if ('error' in values) return new Map();
  return new Map(Array.from(values.files, ([path, file]) => [path, 'error' in file ? NONE : leavesOf(file.root)]));
}

function changesIn(before: Leaves, after: Leaves, all: boolean): Map<string, ValueChange> {
  const changes = new Map<string, ValueChange>();
  for (const key of [...new Set([...before.keys(), ...after.keys()])].sort(byCodeUnit)) {
    const [old, now] = [unlessNull(before.get(key)), unlessNull(after.get(key))];
    if (!all && sameValue(old && toValue(old), now && toValue(now))) continue;
    changes.set(key, { old, new: now, diff: difference(old, now) });
  }
  return changes;
}

function unlessNull(node: Node | undefined): Node | undefined {
  return node?.kind === 'scalar' && node.value === null ? undefined : node;
}

/** New minus old: exact for integers of any size. */
function difference(old: Node | undefined, now: Node | undefined): ScalarNode | undefined {
  if (!isNumber(old) || !isNumber(now)) return undefined;
  const at = { kind: 'scalar', start: 0, end: 0 } as const;
  if (old.float || now.float) return { ...at, value: Number(now.value) - Number(old.value), float: true };
  const exact = BigInt(now.value) - BigInt(old.value);
  const value = Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  return { ...at, value, float: false };
}

function isNumber(node: Node | undefined): node is ScalarNode & { readonly value: number | bigint } {
  return node?.kind === 'scalar' && (typeof node.value === 'number' || typeof node.value === 'bigint');
}
