import type { AnyPath, Value } from '@dag/model';
import { readValues, toValue } from '@dag/pipeline';
import { CsvError, parse } from 'csv-parse/sync';
import type { ValueError } from '../compare/values.ts';
import type { Row } from './rows.ts';

/** Types of images by extension, as browsers name them. */
const IMAGES: { readonly [extension: string]: string } = {
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  png: 'image/png',
  svg: 'image/svg+xml',
};

/** The type of an image by the name of its file; undefined for what is no image. */
export function imageType(path: string): string | undefined {
  return IMAGES[extensionOf(path)];
}

/** The values in a file of plot data, or why there are none. */
export function readSource(
  bytes: Uint8Array,
  path: AnyPath,
  header: boolean,
): { content: Value } | { error: ValueError } {
  const extension = extensionOf(path);
  if (extension === 'csv' || extension === 'tsv') {
    return readSeparated(bytes, path, { delimiter: extension === 'csv' ? ',' : '\t', header });
  }
  if (!VALUES.has(extension)) {
    const msg = `${path}: plots are drawn from CSV, TSV, JSON and YAML, or shown as images (PNG, JPEG, GIF, SVG)`;
    return { error: { type: 'invalid', msg } };
  }
  const read = readValues(bytes, path);
  if ('root' in read) return { content: read.root === undefined ? [] : toValue(read.root) };
  const [first] = read.problems;
  const place = first?.span === undefined ? '' : `:${first.span.line}:${first.span.column}`;
  return { error: { type: 'invalid', msg: `${path}${place}: ${first?.message ?? 'it can not be read'}` } };
}

/**
 * Rows of comma- or tab-separated values. Without a header the fields are numbered from 0. Empty lines are passed over,
 * fields without a value are null, values without a field are left out.
 */
function readSeparated(
  bytes: Uint8Array,
  path: AnyPath,
  { delimiter, header }: { readonly delimiter: string; readonly header: boolean },
): { content: Value } | { error: ValueError } {
  let lines: string[][];
  try {
    lines = parse(bytes, { delimiter, bom: true, relax_column_count: true, skip_empty_lines: true });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { error: { type: 'invalid', msg: `${path}: not CSV: ${error.message}` } };
  }
  const [first = []] = lines;
  const fields = header ? first : first.map((_, index) => String(index));
  const rows = lines
    .slice(header ? 1 : 0)
    .map((line) => Object.fromEntries(fields.map((field, index) => [field, line[index] ?? null])));
  return { content: withNumbers(rows) };
}

/** Texts are numbers where all of their column are. */
function withNumbers(rows: readonly Row[]): Row[] {
  const isNumber = (value: Value): boolean =>
    value === null || value === '' || /^\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d{1,3})?\s*$/i.test(String(value));
  const texts = new Set(
    rows.flatMap((row) => Object.entries(row).flatMap(([field, value]) => (isNumber(value) ? [] : [field]))),
  );
  const typed = (field: string, value: Value): Value =>
    texts.has(field) ? value : value === null || value === '' ? null : Number(value);
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([field, value]) => [field, typed(field, value)])),
  );
}

const VALUES: ReadonlySet<string> = new Set(['json', 'yaml', 'yml', 'toml', 'py']);

function extensionOf(path: string): string {
  return /\.([^./]*)$/.exec(path)?.[1]?.toLowerCase() ?? '';
}
