import type { AnyPath } from '@dag/model';
import { placelessMap } from '../data/value.ts';
import type { MapNode, Node } from '../yaml/node.ts';
import { expressionPath, findTemplates, type Template } from './expression.ts';

/** A value that templates can draw on, with where it came from. */
export type Bound =
  /** A whole tree from one place. */
  | {
      readonly kind: 'node';
      readonly node: Node;
      /** The file that it came from; undefined for `vars` maps and inline items. */
      readonly source: AnyPath | undefined;
      /** Dotted key in that file. */
      readonly path: string;
      /** Written in the foreach or matrix itself: names of stages differ a little from drawn values. */
      readonly inline: boolean;
    }
  /** Merged from several places, or a list or map with templates inside. */
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Bound> }
  | { readonly kind: 'seq'; readonly items: readonly Bound[] };

export function boundNode(node: Node, source?: AnyPath, path = ''): Bound {
  return { kind: 'node', node, source, path, inline: false };
}

export function inlineNode(node: Node): Bound {
  return { kind: 'node', node, source: undefined, path: '', inline: true };
}

export function kindOf(bound: Bound): 'scalar' | 'map' | 'seq' {
  return bound.kind === 'node' ? bound.node.kind : bound.kind;
}

/** Entries of a map in order, text keys only: others can't be named in a template. */
export function entriesOf(bound: Bound): [string, Bound][] {
  if (bound.kind === 'map') return [...bound.entries];
  if (bound.kind !== 'node' || bound.node.kind !== 'map') return [];
  const entries: [string, Bound][] = [];
  for (const { key, value } of bound.node.entries) {
    if (typeof key.value === 'string') entries.push([key.value, step(bound, key.value, value)]);
  }
  return entries;
}

export function itemsOf(bound: Bound): readonly Bound[] {
  if (bound.kind === 'seq') return bound.items;
  if (bound.kind !== 'node' || bound.node.kind !== 'seq') return [];
  return bound.node.items.map((item, i) => step(bound, String(i), item));
}

function step(parent: Bound & { kind: 'node' }, key: string, node: Node): Bound {
  return { ...parent, node, path: parent.path === '' ? key : `${parent.path}.${key}` };
}

/** Finds keys in maps, large ones through an index, and templates in texts, each text once. One for each load. */
export class Finder {
  private readonly indexes = new Map<MapNode, Map<string, Node>>();
  private readonly texts = new Map<string, readonly Template[]>();
  private readonly paths = new Map<string, readonly string[]>();

  /** All `${…}` of a text: a foreach asks for those of its few texts once an item. */
  templates(text: string): readonly Template[] {
    const before = this.texts.get(text);
    if (before !== undefined) return before;
    const found = findTemplates(text);
    this.texts.set(text, found);
    return found;
  }

  /** The names that lead to the value of a well-formed expression. */
  path(inner: string): readonly string[] {
    const before = this.paths.get(inner);
    if (before !== undefined) return before;
    const found = expressionPath(inner);
    this.paths.set(inner, found);
    return found;
  }

  /** What stands at a key of a map or an index of a list; negative ones count from the end. */
  child(bound: Bound, key: string): Bound | undefined {
    if (bound.kind === 'map') return bound.entries.get(key);
    if (bound.kind === 'seq') return bound.items[listIndex(key, bound.items.length)];
    const { node } = bound;
    if (node.kind === 'map') {
      const value = this.lookUp(node, key);
      return value === undefined ? undefined : step(bound, key, value);
    }
    if (node.kind === 'scalar') return undefined;
    const index = listIndex(key, node.items.length);
    const item = node.items[index];
    return item === undefined ? undefined : step(bound, String(index), item);
  }

  private lookUp(map: MapNode, key: string): Node | undefined {
    if (map.entries.length < 16) {
      for (const entry of map.entries) if (entry.key.value === key) return entry.value;
      return undefined;
    }
    let index = this.indexes.get(map);
    if (index === undefined) {
      index = new Map();
      for (const entry of map.entries) if (typeof entry.key.value === 'string') index.set(entry.key.value, entry.value);
      this.indexes.set(map, index);
    }
    return index.get(key);
  }
}

/** -1 for what is no index into a list of that length. */
function listIndex(key: string, length: number): number {
  if (!/^[-+]?\d+(?:_\d+)*$/.test(key)) return -1;
  const index = Number(key.replaceAll('_', ''));
  const from = index < 0 ? index + length : index;
  return from < length ? from : -1;
}

/** The value as a plain tree. */
export function unwrap(bound: Bound): Node {
  switch (bound.kind) {
    case 'node':
      return bound.node;
    case 'seq':
      return { kind: 'seq', items: bound.items.map(unwrap), flow: true, start: 0, end: 0 };
    case 'map':
      return placelessMap([...bound.entries].map(([key, value]): [string, Node] => [key, unwrap(value)]));
  }
}
