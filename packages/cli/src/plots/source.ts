import type { AnyPath, Value } from '@dag/model';
import { readValues, toValue } from '@dag/pipeline';
import type { ValueError } from '../compare/values.ts';
import { type Row, readSeparated } from './rows.ts';

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
    const text = new TextDecoder().decode(bytes);
    return { content: withNumbers(readSeparated(text, extension === 'csv' ? ',' : '\t', header)) };
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
