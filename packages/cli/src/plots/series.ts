import { type AnyPath, FailureError, type Value } from '@dag/model';
import type { Definition, Fields } from './definition.ts';
import { lastField, type Row, rowsOf } from './rows.ts';

/** A field of a file. */
interface FileField {
  readonly file: AnyPath;
  readonly field: string;
}

/** The rows of a plot at one revision, and which of their fields are drawn. */
export interface Series {
  /** With `rev`, `filename` and `field` of each. */
  readonly rows: readonly Row[];
  readonly x: string;
  readonly y: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** What is drawn on the y axis, file by file and field by field. */
  readonly drawn: readonly { readonly filename: string; readonly field: string }[];
}

/** Where there is no x axis, rows are counted. */
const STEP = 'step';
/** Where several fields share an axis, these hold the value of each. */
const [ANY_X, ANY_Y] = ['dvc_inferred_x_value', 'dvc_inferred_y_value'];

/**
 * The rows of a plot at a revision, from the content of its sources.
 * @returns undefined where there are none.
 * @throws FailureError `refused` where a field is not there, or the axes don't go together.
 */
export function seriesOf(
  definition: Definition,
  sources: ReadonlyMap<AnyPath, Value>,
  revision: string,
): Series | undefined {
  const { looks } = definition;
  const rows = new Map(Array.from(sources, ([file, content]) => [file, rowsOf(content)]));
  const ys = yFields(definition, sources);
  const xs = xFields(definition, ys);
  for (const one of [...xs, ...ys]) requireField(one, rows);
  if (xs.length > 1 && xs.length !== ys.length) {
    throw refused(
      `${definition.id}: ${xs.length} fields on the x axis and ${ys.length} on the y axis don't go together`,
    );
  }
  const xNames = new Set(xs.map(({ field }) => field));
  const yNames = new Set(ys.map(({ field }) => field));
  const [x = STEP] = xNames.size > 1 ? [ANY_X] : xNames;
  const [y = ''] = yNames.size > 1 ? [ANY_Y] : yNames;
  const shorten = withoutCommonFolder(ys.map(({ file }) => file));
  const all = ys.flatMap(({ file, field }, i) => {
    const own = rows.get(file) ?? [];
    const from = xs.length > 1 ? xs[i] : xs[0];
    const along = from === undefined ? undefined : rows.get(from.file);
    if (along !== undefined && along.length !== own.length) {
      throw refused(
        `${definition.id}: '${from?.field}' of ${from?.file} has ${along.length} rows, '${field}' of ${file} ${own.length}`,
      );
    }
    return own.map(
      (row, index): Row => ({
        ...row,
        ...(yNames.size > 1 ? valueAt(ANY_Y, row, field) : {}),
        ...(from === undefined ? { [STEP]: index } : valueAt(x, along?.[index] ?? {}, from.field)),
        rev: revision,
        filename: shorten(file),
        field,
      }),
    );
  });
  if (all.length === 0) return undefined;
  return {
    rows: all,
    x,
    y,
    xLabel: looks.xLabel ?? (xNames.size > 1 ? 'x' : x),
    yLabel: looks.yLabel ?? (yNames.size > 1 ? 'y' : y),
    drawn: ys.map(({ file, field }) => ({ filename: shorten(file), field })),
  };
}

function valueAt(name: string, row: Row, field: string): Row {
  const value = row[field];
  return value === undefined ? {} : { [name]: value };
}

function yFields({ path, looks }: Definition, sources: ReadonlyMap<AnyPath, Value>): FileField[] {
  if (looks.y instanceof Map) return pairs(looks.y);
  if (path === undefined) return [];
  const named = looks.y as readonly string[] | undefined;
  const content = sources.get(path);
  const inferred = content === undefined ? undefined : lastField(content);
  return (named ?? (inferred === undefined ? [] : [inferred])).map((field) => ({ file: path, field }));
}

/** A field named without a file is looked for in each file that is drawn. */
function xFields({ looks, path }: Definition, ys: readonly FileField[]): FileField[] {
  if (looks.x === undefined) return [];
  if (looks.x instanceof Map) return pairs(looks.x);
  const field = looks.x as string;
  if (looks.y instanceof Map) return ys.map(({ file }) => ({ file, field }));
  return path === undefined ? [] : [{ file: path, field }];
}

function pairs(fields: Fields): FileField[] {
  return [...fields].flatMap(([file, names]) => names.map((field) => ({ file, field })));
}

function requireField({ file, field }: FileField, rows: ReadonlyMap<AnyPath, readonly Row[]>): void {
  const first = rows.get(file)?.[0];
  if (first === undefined || Object.hasOwn(first, field)) return;
  throw refused(`${file} has no field '${field}', only ${Object.keys(first).join(', ')}`);
}

function refused(message: string): FailureError {
  return new FailureError({ code: 'refused', message });
}

/** Paths without the folders that all of them lie in, where they are several. */
function withoutCommonFolder(files: readonly AnyPath[]): (file: AnyPath) => string {
  const all = [...new Set(files)].map((file) => file.split('/'));
  const [first = []] = all;
  let shared = 0;
  while (all.length > 1 && shared < first.length && all.every((parts) => parts[shared] === first[shared])) shared++;
  return (file) => file.split('/').slice(shared).join('/');
}
