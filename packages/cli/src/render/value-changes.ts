import { type ProjectPath, relativePath, type Value } from '@dag/model';
import { type Node, toValue } from '@dag/pipeline';
import type { ValueChanges } from '../compare/changes.ts';
import { pythonText, reprOf } from '../compare/python-text.ts';
import { tableLines } from './table.ts';

/** Changed values by path from the user's folder and by key: DVC's shape, in which a list is its text. */
export function valueChangesJson(changes: ValueChanges, cwd: ProjectPath): Value {
  return Object.fromEntries(
    Array.from(changes, ([path, values]) => [
      relativePath(cwd, path),
      Object.fromEntries(
        Array.from(values, ([key, { old, new: now, diff }]) => [
          key,
          { old: jsonOf(old), new: jsonOf(now), ...(diff === undefined ? {} : { diff: toValue(diff) }) },
        ]),
      ),
    ]),
  );
}

function jsonOf(node: Node | undefined): Value {
  if (node === undefined) return null;
  return node.kind === 'seq' ? reprOf(node) : toValue(node);
}

/** How the table of changes looks. */
export interface TableOptions {
  /** What a key is: `Metric`, `Param`. */
  readonly title: string;
  readonly old: string;
  readonly new: string;
  readonly withPath: boolean;
  /** Whether there is a column of differences. */
  readonly withChange: boolean;
  readonly markdown: boolean;
  readonly precision: number | undefined;
}

/** A row for each changed value. */
export function valueChangesLines(changes: ValueChanges, cwd: ProjectPath, options: TableOptions): string[] {
  const shown = (node: Node | undefined): string => (node === undefined ? '-' : pythonText(node, options.precision));
  const only = (cells: readonly [path: string, ...string[], change: string]): string[] => {
    const from = options.withPath ? 0 : 1;
    return cells.slice(from, options.withChange ? cells.length : -1);
  };
  const rows = Array.from(changes, ([path, values]) =>
    Array.from(values, ([key, { old, new: now, diff }]) =>
      only([relativePath(cwd, path), key, shown(old), shown(now), shown(diff)]),
    ),
  );
  return tableLines(only(['Path', options.title, options.old, options.new, 'Change']), rows.flat(), options);
}
