import type { Value } from '@dag/model';

/** A row of data: values by field. */
export type Row = { readonly [field: string]: Value };

/** Whether a value is a map. */
export function isMap(value: Value | undefined): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The rows in a file's content. Every list of maps that all have the same keys counts, at any depth of maps; lists beside
 * each other are joined row by row.
 */
export function rowsOf(content: Value): Row[] {
  const rows: Record<string, Value>[] = [];
  for (const list of listsIn(content)) {
    if (!isTable(list)) continue;
    for (const [index, row] of list.entries()) rows[index] = { ...rows[index], ...row };
  }
  return rows;
}

/** The field that is drawn where none is named: the last of the first row. */
export function lastField(content: Value): string | undefined {
  for (const list of listsIn(content)) {
    const [first] = list;
    if (list.every(isMap) && isMap(first)) return Object.keys(first).at(-1);
  }
  return undefined;
}

function* listsIn(content: Value): Generator<readonly Value[]> {
  if (Array.isArray(content)) yield content;
  else if (isMap(content)) for (const inner of Object.values(content)) yield* listsIn(inner);
}

function isTable(list: readonly Value[]): list is readonly Row[] {
  const [first] = list;
  if (!isMap(first)) return false;
  const fields = new Set(Object.keys(first));
  return list.every((row) => isMap(row) && Object.keys(row).every((field) => fields.has(field)));
}
