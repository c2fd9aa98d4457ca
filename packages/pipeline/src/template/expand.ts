import { sameValue } from '@dag/model';
import { toValue } from '../data/value.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Entry, MapNode, Node, ScalarNode } from '../yaml/node.ts';
import { findValue, textNode } from '../yaml/node.ts';
import { type Bound, entriesOf, inlineNode, itemsOf, kindOf, unwrap } from './bound.ts';
import { formatName, formatScalar } from './format.ts';
import { bindNode, type Scope, TemplateFailure } from './interpolate.ts';

/** One stage that a foreach or matrix makes: what follows the `@`, and what `item` and `key` are in it. */
export interface Combination {
  readonly key: string;
  readonly current: ReadonlyMap<string, Bound>;
}

function nameOf(bound: Bound): string {
  const node = unwrap(bound);
  if (node.kind !== 'scalar') return '';
  return bound.kind === 'node' && !bound.inline ? formatName(node) : formatScalar(node);
}

/**
 * The items of a foreach. A list of scalars is named by value, a list with maps or lists by index, a map by its keys.
 * Of items with one name the last counts, in the place of the first. Throws TemplateFailure.
 */
export function foreachItems(data: Node, name: string, scope: Scope): Combination[] {
  const bound = bindNode(data, scope);
  const found = new Map<string, Combination>();
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
    for (const [i, item] of items.entries()) add(byIndex ? String(i) : nameOf(item), [['item', item]]);
  } else {
    scope.report.add(scope.source, data, 'template', `foreach of ${name} must be a list or a map`);
    throw new TemplateFailure();
  }
  return [...found.values()];
}

/**
 * The combinations of a matrix, in the order written, the last list turning fastest; less those that match an `exclude`,
 * then those of `include` that are not there yet. Throws TemplateFailure.
 */
export function matrixItems(definition: MapNode, name: string, scope: Scope): Combination[] {
  const matrix = findValue(definition, 'matrix');
  if (matrix?.kind !== 'map') return [];
  if (matrix.entries.length === 0) {
    scope.report.add(
      scope.source,
      matrix,
      'bad-value',
      `the matrix of ${name} is empty`,
      'give it a list, or take it out',
    );
    throw new TemplateFailure();
  }
  const axes = matrix.entries.map((entry): Axis => axis(entry, name, scope));
  let cells: Cell[] = [[]];
  for (const { key, values } of axes) {
    cells = cells.flatMap((cell) =>
      values.map((value, i) => [...cell, { key, value, label: cellLabel(key, value, i) }]),
    );
    if (cells.length > 100_000) {
      scope.report.add(scope.source, matrix, 'bad-value', `the matrix of ${name} has more than 100,000 combinations`);
      throw new TemplateFailure();
    }
  }
  const excluded = cellList(findValue(definition, 'exclude'), axes, name, scope, false);
  if (excluded.length > 0) cells = cells.filter((cell) => !excluded.some((pattern) => matches(cell, pattern)));
  for (const added of cellList(findValue(definition, 'include'), axes, name, scope, true)) {
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
  return [...found.values()];
}

interface Axis {
  readonly key: string;
  readonly values: readonly Bound[];
}

type Cell = readonly { readonly key: string; readonly value: Bound; readonly label: string }[];

function cellLabel(key: string, value: Bound, index: number): string {
  return kindOf(value) === 'scalar' ? nameOf(value) : `${key}${index}`;
}

function axis(entry: Entry, name: string, scope: Scope): Axis {
  const key = formatScalar(entry.key as ScalarNode);
  const bound = bindNode(entry.value, scope);
  if (kindOf(bound) === 'seq') return { key, values: itemsOf(bound) };
  if (kindOf(bound) === 'map') {
    return { key, values: entriesOf(bound).map(([word]) => inlineNode(textNode(word, entry.value))) };
  }
  scope.report.add(scope.source, entry.value, 'template', `${quote(key)} in the matrix of ${name} must be a list`);
  throw new TemplateFailure();
}

function cellList(
  node: Node | undefined,
  axes: readonly Axis[],
  name: string,
  scope: Scope,
  whole: boolean,
): Map<string, Bound>[] {
  if (node === undefined) return [];
  const lists = itemsOf(bindNode(node, scope));
  return lists.map((bound, i) => {
    const at = node.kind === 'seq' ? (node.items[i] ?? node) : node;
    const cell = new Map(entriesOf(bound));
    const stray = [...cell.keys()].find((key) => !axes.some((one) => one.key === key));
    const lacking = whole ? axes.find((one) => !cell.has(one.key)) : undefined;
    const problem =
      stray !== undefined
        ? `${quote(stray)} is no key of the matrix of ${name}`
        : lacking !== undefined
          ? `this combination lacks ${quote(lacking.key)}`
          : undefined;
    if (problem === undefined) return whole ? new Map(axes.map((one) => [one.key, cell.get(one.key) as Bound])) : cell;
    scope.report.add(scope.source, at, 'bad-value', problem);
    throw new TemplateFailure();
  });
}

function matches(cell: Cell, pattern: ReadonlyMap<string, Bound>): boolean {
  return [...pattern].every(([key, value]) => cell.some((part) => part.key === key && same(part.value, value)));
}

function same(a: Bound, b: Bound): boolean {
  return sameValue(toValue(unwrap(a)), toValue(unwrap(b)));
}
