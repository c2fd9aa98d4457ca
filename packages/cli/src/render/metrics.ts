import { byCodeUnit, type ProjectPath, relativePath, type Value } from '@dag/model';
import { toValue } from '@dag/pipeline';
import { WORKSPACE } from '../compare/open.ts';
import { pythonText } from '../compare/python-text.ts';
import { leavesOf, type ValueError, type ValueFile, type ValueFiles } from '../compare/values.ts';
import type { Context } from '../verb.ts';
import { tableLines } from './table.ts';

interface FileJson {
  readonly data?: Value;
  readonly error?: ValueError;
}

/** Files of values by revision, and by path from the user's folder: DVC's shape. */
export type ValuesJson = {
  readonly [revision: string]:
    | { readonly data: { readonly [path: string]: FileJson } }
    | { readonly error: ValueError };
};

export function metricsJson(found: ReadonlyMap<string, ValueFiles>, cwd: ProjectPath): ValuesJson {
  const revisions = [...found].map(([name, values]) => {
    if ('error' in values) return [name, { error: values.error }] as const;
    const files = [...values.files].map(([path, file]): [string, FileJson] => [
      relativePath(cwd, path),
      'error' in file ? { error: file.error } : { data: file.root === undefined ? {} : toValue(file.root) },
    ]);
    return [name, { data: Object.fromEntries(files) }] as const;
  });
  return Object.fromEntries(revisions);
}

/** Says what could not be read, and where. */
export function sayErrors(context: Context, found: ReadonlyMap<string, ValueFiles>): void {
  for (const [name, values] of found) {
    const where = name === '' || name === WORKSPACE ? '' : `${name}: `;
    const errors = 'error' in values ? [values.error] : [...values.files.values()].flatMap(errorOf);
    for (const { msg, hint } of errors) {
      context.say(`warning: ${where}${msg}${hint === undefined ? '' : `\n  ${hint}`}`);
    }
  }
}

function errorOf(file: ValueFile): ValueError[] {
  return 'error' in file ? [file.error] : [];
}

/** A row for each file at each revision, a column for each metric. */
export function metricsLines(
  found: ReadonlyMap<string, ValueFiles>,
  cwd: ProjectPath,
  options: { readonly markdown: boolean; readonly precision: number; readonly withRevisions: boolean },
): string[] {
  const rows: { readonly revision: string; readonly path: string; readonly cells: ReadonlyMap<string, string> }[] = [];
  for (const [revision, values] of found) {
    if ('error' in values) continue;
    for (const [path, file] of values.files) {
      const leaves = 'error' in file ? [] : [...leavesOf(file.root)];
      const cells = new Map(leaves.map(([key, node]) => [key, pythonText(node, options.precision)]));
      rows.push({ revision, path: relativePath(cwd, path), cells });
    }
  }
  const keys = [...new Set(rows.flatMap(({ cells }) => [...cells.keys()]))].sort(byCodeUnit);
  const first = options.withRevisions ? ['Revision', 'Path'] : ['Path'];
  return tableLines(
    [...first, ...keys],
    rows.map(({ revision, path, cells }) => [
      ...(options.withRevisions ? [revision, path] : [path]),
      ...keys.map((key) => cells.get(key) ?? '-'),
    ]),
    options,
  );
}
