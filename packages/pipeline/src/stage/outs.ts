import { isExternal, type Out, type OutKind, type Value } from '@dag/model';
import { setOwn, toValue } from '../data/value.ts';
import type { PlotProperties } from '../pipeline.ts';
import { formatScalar } from '../template/format.ts';
import { type Entry, isUnknown, type Node, type Range } from '../yaml/node.ts';
import { ownedPath, type PathsPlace, refuseExternal } from './paths.ts';

export interface ReadOuts {
  readonly outs: Out[];
  readonly places: Range[];
  readonly plotProperties: PlotProperties[];
}

/** Reads `outs`, `metrics` or `plots`. A path written twice in one list is one out with the flags of both. */
export function readOuts(list: Node, kind: OutKind, place: PathsPlace, into: ReadOuts): void {
  if (list.kind !== 'seq') return;
  const [single] = list.items;
  if (list.items.length === 1 && single?.kind === 'scalar' && !isUnknown(single)) {
    const out = readOut(String(single.value), single, kind, [], place);
    if (out === undefined) return;
    into.outs.push(out);
    into.places.push(single);
    return;
  }
  const merged = new Map<string, { at: Range; flags: Entry[]; lists: Node[] }>();
  const slot = (path: string, at: Range) => {
    const before = merged.get(path);
    if (before) return before;
    const created = { at, flags: [], lists: [] };
    merged.set(path, created);
    return created;
  };
  for (const item of list.items) {
    if (isUnknown(item)) continue;
    if (item.kind === 'scalar') slot(String(item.value), item);
    else if (item.kind === 'map') {
      for (const { key, value } of item.entries) {
        if (isUnknown(key)) continue;
        const { flags, lists } = slot(String(key.value), key);
        if (value.kind === 'map') flags.push(...value.entries);
        else if (value.kind === 'seq') lists.push(...value.items);
      }
    }
  }
  for (const [written, { at, flags, lists }] of merged) {
    const out = readOut(written, at, kind, flags, place);
    if (out === undefined) continue;
    into.outs.push(out);
    into.places.push(at);
    const properties = plotLooks(flags);
    const all = [...(properties === undefined ? [] : [properties]), ...lists.map(toValue)];
    if (all.length > 0) into.plotProperties.push({ path: out.path, kind, properties: all });
  }
}

function readOut(
  written: string,
  at: Range,
  kind: OutKind,
  flags: readonly Entry[],
  place: PathsPlace,
): Out | undefined {
  const path = ownedPath(written, at, place);
  if (path === undefined) return undefined;
  let cache = true;
  let persist = false;
  let push = true;
  let remote: string | undefined;
  let desc: string | undefined;
  for (const { key, value } of flags) {
    const scalar = value.kind === 'scalar' ? value.value : undefined;
    if (key.value === 'cache') cache = scalar !== false;
    else if (key.value === 'persist') persist = scalar === true;
    else if (key.value === 'push') push = scalar !== false;
    else if (key.value === 'remote') remote = String(scalar);
    else if (key.value === 'desc') desc = value.kind === 'scalar' && scalar !== null ? formatScalar(value) : undefined;
  }
  const optional = { ...(remote === undefined ? {} : { remote }), ...(desc === undefined ? {} : { desc }) };
  const rest = { kind, persist, push, ...optional };
  if (!cache) return { path, cache, ...rest };
  if (!isExternal(path)) return { path, cache, ...rest };
  return refuseExternal(
    written,
    at,
    place,
    'what the cache keeps',
    'add `cache: false` to it, or make it in the project',
  );
}

const LOOKS: ReadonlySet<unknown> = new Set([
  'template',
  'x',
  'y',
  'x_label',
  'y_label',
  'title',
  'header',
  'type',
  'labels',
  'meta',
]);

/** What is only for display: how a plot looks, labels and the like. */
function plotLooks(flags: readonly Entry[]): Value | undefined {
  const looks: Record<string, Value> = {};
  for (const { key, value } of flags) if (LOOKS.has(key.value)) setOwn(looks, String(key.value), toValue(value));
  return Object.keys(looks).length === 0 ? undefined : looks;
}
