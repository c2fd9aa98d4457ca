import { sameValue } from '@dag/model';
import { toValue } from '../data/value.ts';
import { suggestionOrAll } from '../diagnostic/nearest.ts';
import { quote, say } from '../diagnostic/quote.ts';
import type { Entry, MapNode, Node } from '../yaml/node.ts';
import { findValue, isUnknown, textNode } from '../yaml/node.ts';
import { type Bound, entriesOf, inlineNode, itemsOf, kindOf, unwrap } from './bound.ts';
import { formatName, formatScalar } from './format.ts';
import { bindKey, bindNode, type Scope } from './interpolate.ts';

/** One stage that a foreach or matrix makes: what follows the `@`, and what `item` and `key` are in it. */
export interface Combination {
  readonly key: string;
  readonly current: ReadonlyMap<string, Bound>;
}

/** The stages of a foreach or matrix. */
export interface Combinations {
  readonly list: readonly Combination[];
  /** A problem, which is reported, leaves some out: nobody knows which. */
  readonly incomplete: boolean;
}

function nameOf(bound: Bound): string {
  const node = unwrap(bound);
  if (node.kind !== 'scalar') return '';
  return bound.kind === 'node' && !bound.inline ? formatName(node) : formatScalar(node);
}

/**
 * The items of a foreach. A list of scalars is named by value, a list with maps or lists by index, a map by its keys.
 * Of items with one name the last counts, in the place of the first.
 */
export function foreachItems(data: Node, name: string, scope: Scope): Combinations {
  const bound = bindNode(data, scope);
  if (unknownBound(bound)) return { list: [], incomplete: true };
  const found = new Map<string, Combination>();
  let incomplete = false;
  const add = (key: string, current: [string, Bound][]) => found.set(key, { key, current: new Map(current) });
  if (kindOf(bound) === 'map') {
    for (const [key, item] of entriesOf(bound)) {
      add(key, [
        ['item', item],
        ['key', inlineNode(textNode(key, data))],
      ]);
    }
  } else if (kindOf(bound) === 'seq') {
    const items = itemsOf(bound);
    const byIndex = items.some((item) => kindOf(item) !== 'scalar');
    for (const [i, item] of items.entries()) {
      if (unknownBound(item) && !byIndex) incomplete = true;
      else add(byIndex ? String(i) : nameOf(item), [['item', item]]);
    }
  } else {
    const message = `stages.${name}.foreach must be a list or a map, not ${say(unwrap(bound))}`;
    const drawn = data.kind === 'scalar' && typeof data.value === 'string' && data.value.includes('${');
    const hint = drawn
      ? 'name a list or a map, or write the items: `foreach: [a, b]`'
      : 'write its items: `foreach: [a, b]`';
    scope.report.add(scope.source, data, 'template', message, hint);
    incomplete = true;
  }
  return { list: [...found.values()], incomplete };
}

function unknownBound(bound: Bound): boolean {
  return bound.kind === 'node' && isUnknown(bound.node);
}

/**
 * The combinations of a matrix, in the order written, the last list turning fastest; less those that match an `exclude`,
 * then those of `include` that are not there yet.
 */
export function matrixItems(definition: MapNode, name: string, scope: Scope): Combinations {
  const matrix = findValue(definition, 'matrix');
  if (matrix?.kind !== 'map') return { list: [], incomplete: true };
  const problem = (message: string, hint?: string): Combinations => {
    scope.report.add(scope.source, matrix, 'bad-value', `stages.${name}.matrix ${message}`, hint);
    return { list: [], incomplete: true };
  };
  if (matrix.entries.length === 0) return problem('is empty', 'give it a list, or take it out');
  const read = matrix.entries.map((entry) => axis(entry, name, scope));
  const axes = read.filter((one) => one !== undefined);
  if (axes.length < read.length || axes.some((one) => one.values.some(unknownBound))) {
    return { list: [], incomplete: true };
  }
  let cells: Cell[] = [[]];
  for (const { key, values } of axes) {
    cells = cells.flatMap((cell) =>
      values.map((value, i) => [...cell, { key, value, label: cellLabel(key, value, i) }]),
    );
    if (cells.length > 100_000) return problem('has more than 100,000 combinations', 'make its lists shorter');
  }
  const excluded = cellList('exclude', definition, axes, name, scope);
  if (excluded.cells.length > 0) {
    cells = cells.filter((cell) => !excluded.cells.some((pattern) => matches(cell, pattern)));
  }
  const included = cellList('include', definition, axes, name, scope);
  for (const added of included.cells) {
    const cell = [...added].map(([key, value]): Cell[number] => {
      const known = axes.find((one) => one.key === key)?.values ?? [];
      const index = known.findIndex((one) => same(one, value));
      return { key, value, label: cellLabel(key, value, index === -1 ? known.length : index) };
    });
    if (!cells.some((other) => other.length === cell.length && matches(other, added))) cells.push(cell);
  }
  const found = new Map<string, Combination>();
  for (const cell of cells) {
    const key = cell.map((part) => part.label).join('-');
    const item: Bound = { kind: 'map', entries: new Map(cell.map((part) => [part.key, part.value])) };
    found.set(key, {
      key,
      current: new Map([
        ['key', inlineNode(textNode(key, matrix))],
        ['item', item],
      ]),
    });
  }
  return { list: [...found.values()], incomplete: excluded.incomplete || included.incomplete };
}

interface Axis {
  readonly key: string;
  readonly values: readonly Bound[];
}

type Cell = readonly { readonly key: string; readonly value: Bound; readonly label: string }[];

function cellLabel(key: string, value: Bound, index: number): string {
  return kindOf(value) === 'scalar' ? nameOf(value) : `${key}${index}`;
}

/** One list of a matrix; undefined where it is none, which is reported. */
function axis(entry: Entry, name: string, scope: Scope): Axis | undefined {
  const key = bindKey(entry.key, scope) ?? formatScalar(entry.key);
  const bound = bindNode(entry.value, scope);
  if (unknownBound(bound)) return undefined;
  if (kindOf(bound) === 'seq') return { key, values: itemsOf(bound) };
  if (kindOf(bound) === 'map') {
    return { key, values: entriesOf(bound).map(([word]) => inlineNode(textNode(word, entry.value))) };
  }
  const message = `stages.${name}.matrix.${key} must be a list`;
  scope.report.add(scope.source, entry.value, 'template', message, `write its values: \`${key}: [a, b]\``);
  return undefined;
}

interface CellList {
  readonly cells: readonly ReadonlyMap<string, Bound>[];
  readonly incomplete: boolean;
}

/** The maps of `exclude` or `include`; those that don't fit the matrix are reported. */
function cellList(
  list: 'exclude' | 'include',
  definition: MapNode,
  axes: readonly Axis[],
  name: string,
  scope: Scope,
): CellList {
  const node = findValue(definition, list);
  if (node === undefined) return { cells: [], incomplete: false };
  const bounds = itemsOf(bindNode(node, scope));
  const cells: ReadonlyMap<string, Bound>[] = [];
  for (const [i, bound] of bounds.entries()) {
    const at = node.kind === 'seq' ? (node.items[i] ?? node) : node;
    const cell = new Map(entriesOf(bound));
    const keys = axes.map((one) => one.key);
    const stray = [...cell.keys()].find((key) => !keys.includes(key));
    const lacking = list === 'include' ? keys.find((key) => !cell.has(key)) : undefined;
    if (stray !== undefined) {
      const message = `stages.${name}.${list}: ${quote(stray)} is no key of the matrix`;
      scope.report.add(scope.source, at, 'bad-value', message, suggestionOrAll(stray, keys));
    } else if (lacking !== undefined) {
      const message = `stages.${name}.${list}: this combination lacks ${quote(lacking)}`;
      scope.report.add(scope.source, at, 'bad-value', message, 'an include names every key of the matrix');
    } else if (list === 'exclude') cells.push(cell);
    else cells.push(new Map(keys.map((key) => [key, cell.get(key) as Bound])));
  }
  return { cells, incomplete: cells.length < bounds.length || isUnknown(node) };
}

function matches(cell: Cell, pattern: ReadonlyMap<string, Bound>): boolean {
  return [...pattern].every(([key, value]) => cell.some((part) => part.key === key && same(part.value, value)));
}

function same(a: Bound, b: Bound): boolean {
  return sameValue(toValue(unwrap(a)), toValue(unwrap(b)));
}
