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

/**
 * Rows of comma- or tab-separated values, all of them text; quotes as in RFC 4180. Without a header the fields are numbered
 * from 0. Empty lines are passed over, fields without a value are null, values without a field are left out.
 */
export function readSeparated(text: string, separator: ',' | '\t', header: boolean): Row[] {
  const lines = [...linesOf(text.replace(/^\ufeff/, ''), separator)].filter(
    (line) => line.length > 1 || line[0] !== '',
  );
  const [first = []] = lines;
  const fields = header ? first : first.map((_, index) => String(index));
  return lines
    .slice(header ? 1 : 0)
    .map((line) => Object.fromEntries(fields.map((field, index) => [field, line[index] ?? null])));
}

function* linesOf(text: string, separator: string): Generator<string[]> {
  let line: string[] = [];
  for (let at = 0; at <= text.length; ) {
    const [value, end] = text[at] === '"' ? quoted(text, at) : plain(text, at, separator);
    line.push(value);
    at = end + 1;
    if (text[end] === separator) continue;
    if (text[end] === '\r' && text[at] === '\n') at++;
    yield line;
    line = [];
  }
}

function plain(text: string, from: number, separator: string): [string, number] {
  let end = from;
  while (end < text.length && text[end] !== separator && text[end] !== '\n' && text[end] !== '\r') end++;
  return [text.slice(from, end), end];
}

/** What is quoted, and what stands between the closing quote and the separator. */
function quoted(text: string, from: number): [string, number] {
  let value = '';
  let at = from + 1;
  for (;;) {
    const end = text.indexOf('"', at);
    if (end === -1) return [value + text.slice(at), text.length];
    value += text.slice(at, end);
    at = end + 1;
    if (text[at] !== '"') break;
    value += '"';
    at++;
  }
  let end = at;
  while (end < text.length && !',\t\n\r'.includes(text[end] ?? '')) end++;
  return [value + text.slice(at, end), end];
}
