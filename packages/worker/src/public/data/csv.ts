import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { CsvError, Options } from 'csv-parse';
import { type Cells, CsvScanner, textCells } from './csv-scan.ts';
import { DataError, shownColumn } from './error.ts';
import { arrayRows, type Dtype, type Rows } from './rows.ts';
import type { RowStream } from './stream-source.ts';

/** Which columns make up which array: a list makes rows of so many numbers, a name alone single numbers. */
export type CsvParts<Name extends string> = Readonly<Record<Name, string | readonly string[]>>;

export interface CsvOptions {
  /** Columns of words as the file names them, and the words in each: one becomes its place in the list, from 0, as an int32. */
  readonly classes?: Readonly<Record<string, readonly string[]>>;
  /** Whether the first line names the columns. Without it they are named 1, 2, 3, …. Default: true. */
  readonly header?: boolean;
  /** Default: a tab for a file that ends in .tsv, a comma for others. */
  readonly delimiter?: string;
  /** What an empty cell stands for. Without it, an empty cell is an error. */
  readonly missing?: number;
  /** Of `streamCsv`: from how many rows the next one is drawn where rows are shuffled. Default: 10,000. */
  readonly buffer?: number;
}

const CHUNK = 256 * 1024;
const BUFFER = 10_000;

/**
 * The rows of a CSV file (RFC 4180; quoted cells may hold line breaks) as arrays in memory, which can be shuffled as a whole:
 * `readCsv('iris.csv', { x: ['petal length', 'petal width'], y: 'species' }, { classes: { species: [...] } })`.
 * @throws DataError with line and column, for cells that are no numbers, rows of another length, and columns that aren't there.
 */
export async function readCsv<Name extends string>(
  file: string,
  parts: CsvParts<Name>,
  options: CsvOptions = {},
): Promise<Record<Name, Rows>> {
  const stream = streamCsv(file, parts, options);
  const columns = Object.values<readonly unknown[]>(columnsOf(parts)).reduce((sum, list) => sum + list.length, 0);
  const numbers: Float64Array[] = [];
  let count = 0;
  for await (const rows of stream.rows()) {
    const some = new Float64Array(rows.length * columns);
    for (const [i, row] of rows.entries()) some.set(row, i * columns);
    numbers.push(some);
    count += rows.length;
  }
  let offset = 0;
  const all = (Object.entries(stream.parts) as [Name, RowStream['parts'][string]][]).map(([name, { shape, dtype }]) => {
    const width = shape[0] ?? 1;
    const values = dtype === 'int32' ? new Int32Array(count * width) : new Float32Array(count * width);
    let at = 0;
    for (const some of numbers) {
      for (let row = offset; row < some.length; row += columns) {
        for (let k = 0; k < width; k++) values[at++] = some[row + k] ?? 0;
      }
    }
    offset += width;
    return [name, arrayRows(values, [count, ...shape])] as const;
  });
  return Object.fromEntries(all) as Record<Name, Rows>;
}

/** The same, read anew for each epoch: for files that are too large for memory. Errors come when their line is read. */
export function streamCsv<Name extends string>(
  file: string,
  parts: CsvParts<Name>,
  options: CsvOptions = {},
): RowStream<Name> {
  const columns = columnsOf(parts);
  const classes = options.classes ?? {};
  const described = (Object.entries(columns) as [Name, readonly string[]][]).map(([name, list]) => {
    const words = list.filter((column) => Object.hasOwn(classes, column));
    const dtype: Dtype = words.length === list.length ? 'int32' : 'float32';
    const shape = Array.isArray(parts[name]) ? [list.length] : [];
    return [name, { shape, dtype }] as const;
  });
  const wanted = Object.values<readonly string[]>(columns).flat();
  return {
    parts: Object.fromEntries(described) as Record<Name, (typeof described)[number][1]>,
    buffer: options.buffer ?? BUFFER,
    rows: () => readRows(file, wanted, options),
  };
}

function columnsOf<Name extends string>(parts: CsvParts<Name>): Record<Name, readonly string[]> {
  const lists = (Object.entries(parts) as [Name, string | readonly string[]][]).map(([name, one]) => {
    return [name, typeof one === 'string' ? [one] : one] as const;
  });
  return Object.fromEntries(lists) as Record<Name, readonly string[]>;
}

/** By the scanner as long as it can tell what is meant; what it can't, and whatever is no file, by the parser. */
async function* readRows(
  file: string,
  wanted: readonly string[],
  options: CsvOptions,
): AsyncGenerator<Float64Array[], void, undefined> {
  const toRow = rowReader(file, wanted, options);
  const delimiter = options.delimiter ?? (extname(file) === '.tsv' ? '\t' : ',');
  const records = { seen: 0 };
  const isScanned = Buffer.byteLength(delimiter) === 1 && !/["\r\n]/.test(delimiter) && (await stat(file)).isFile();
  const isWhole = isScanned && (yield* scanRows(file, delimiter, toRow, records));
  if (!isWhole) yield* parseRows(file, delimiter, toRow, records.seen);
  toRow(undefined, 1);
}

/** @returns whether these were all rows; where not, `records.seen` says how many were gone through. */
async function* scanRows(
  file: string,
  delimiter: string,
  toRow: RowReader,
  records: { seen: number },
): AsyncGenerator<Float64Array[], boolean, undefined> {
  const scanner = new CsvScanner(delimiter.charCodeAt(0));
  let rows: Float64Array[] = [];
  const onRecord = (cells: Cells, line: number) => {
    const row = toRow(cells, line);
    records.seen++;
    if (row !== undefined) rows.push(row);
  };
  const input = createReadStream(file, { highWaterMark: CHUNK });
  try {
    for await (const chunk of input) {
      const isClear = scanner.read(chunk, false, onRecord);
      const ready = rows;
      rows = [];
      if (ready.length > 0) yield ready;
      if (!isClear) return false;
    }
    const isClear = scanner.read(Buffer.alloc(0), true, onRecord);
    if (rows.length > 0) yield rows;
    return isClear;
  } finally {
    input.destroy();
  }
}

/** @param skipped how many records are passed over. */
async function* parseRows(
  file: string,
  delimiter: string,
  toRow: RowReader,
  skipped: number,
): AsyncGenerator<Float64Array[], void, undefined> {
  const { Parser } = await import('csv-parse');
  let rows: Float64Array[] = [];
  let seen = 0;
  const settings: Options = {
    bom: true,
    delimiter,
    relax_column_count: true,
    skip_empty_lines: true,
    on_record: (cells: readonly string[], { lines }) => {
      const row = seen++ < skipped ? undefined : toRow(textCells(cells), lines);
      if (row !== undefined) rows.push(row);
      return null;
    },
  };
  const parser = new Parser(settings);
  // Told to whoever writes; a stream without a listener would end the process.
  parser.on('error', () => {});
  const say = (error: Error | null | undefined) => (error == null ? undefined : inWords(file, error));
  const input = createReadStream(file, { highWaterMark: CHUNK });
  try {
    for await (const chunk of input) {
      await new Promise<void>((resolve, reject) => {
        parser.write(chunk, (error) => (error == null ? resolve() : reject(say(error))));
      });
      const ready = rows;
      rows = [];
      if (ready.length > 0) yield ready;
    }
    await new Promise<void>((resolve, reject) => {
      parser.once('error', (error) => reject(say(error)));
      parser.resume().once('end', resolve).end();
    });
    if (rows.length > 0) yield rows;
  } finally {
    input.destroy();
    parser.destroy();
  }
}

/** What makes numbers of a record's cells. It is called for each record, with its line, and with undefined behind the last. */
type RowReader = (cells: Cells | undefined, line: number) => Float64Array | undefined;

function rowReader(file: string, wanted: readonly string[], options: CsvOptions): RowReader {
  const { classes = {}, header = true, missing } = options;
  const words = wanted.map((column) =>
    Object.hasOwn(classes, column) ? new Map(classes[column]?.map((word, i) => [word, i])) : undefined,
  );
  let names: readonly string[] | undefined;
  let places: readonly number[] = [];
  return (cells, line) => {
    if (names === undefined) {
      if (cells === undefined) throw new DataError(file, 'it is empty');
      names = Array.from({ length: cells.count }, (_, i) => (header ? cells.text(i) : String(i + 1)));
      places = wanted.map((column) => placeOf(file, names ?? [], column));
      for (const column of Object.keys(classes)) placeOf(file, names, column, ' that `classes` names');
      if (header) return undefined;
    }
    if (cells === undefined) return undefined;
    if (cells.count !== names.length) {
      const many = `${cells.count} ${cells.count === 1 ? 'cell' : 'cells'}`;
      throw new DataError(file, `it has ${many}, and the first line has ${names.length}`, { line });
    }
    const row = new Float64Array(places.length);
    for (let i = 0; i < row.length; i++) {
      const place = places[i] ?? 0;
      const known = words[i];
      const value = known === undefined ? numberOf(cells, place, missing) : known.get(cells.text(place));
      if (value === undefined) {
        throw new DataError(file, complaint(cells.text(place), known), { line, column: wanted[i] ?? '' });
      }
      row[i] = value;
    }
    return row;
  };
}

/** @param role why it has to be there, for the message. */
function placeOf(file: string, names: readonly string[], column: string, role = ''): number {
  const place = names.indexOf(column);
  if (place !== -1) return place;
  const only = names.map(shownColumn).join(', ');
  throw new DataError(file, `there is no column ${shownColumn(column)}${role}, only ${only}`, { line: 1 });
}

function numberOf(cells: Cells, place: number, missing: number | undefined): number | undefined {
  const plain = cells.plain(place);
  if (plain !== undefined) return plain;
  const cell = cells.text(place);
  const value = Number(cell);
  if (cell.trim() === '') return missing;
  return Number.isNaN(value) && !/^\s*nan\s*$/i.test(cell) ? undefined : value;
}

function complaint(cell: string, words: ReadonlyMap<string, number> | undefined): string {
  const shown = JSON.stringify(cell.length > 40 ? `${cell.slice(0, 40)}…` : cell);
  if (words !== undefined) return `${shown} is not among its classes: ${[...words.keys()].join(', ')}`;
  if (cell.trim() === '') return 'the cell is empty; say what that stands for with `missing`';
  return `${shown} is not a number; if it holds words, name them with \`classes\``;
}

/** What the parser has against the text itself: quotes, as a rule. */
function inWords(file: string, error: Error): Error {
  if (error instanceof DataError || !('code' in error) || !String(error.code).startsWith('CSV_')) return error;
  const { lines, message } = error as CsvError & { lines?: number };
  return new DataError(file, message, { ...(lines === undefined ? {} : { line: lines }), cause: error });
}
