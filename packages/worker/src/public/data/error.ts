/** Something in a data file that can't be used. The message begins with the file, and the line where there are lines. */
export class DataError extends Error {
  readonly file: string;
  /** From 1; undefined for files that have none. */
  readonly line: number | undefined;
  /** Name of the column of a table. */
  readonly column: string | undefined;

  constructor(file: string, problem: string, at: { line?: number; column?: string; cause?: unknown } = {}) {
    const { line, column, cause } = at;
    const where = `${file}${line === undefined ? '' : `:${line}`}`;
    super(`${where}: ${column === undefined ? '' : `column ${shownColumn(column)}: `}${problem}`, { cause });
    this.name = 'DataError';
    this.file = file;
    this.line = line;
    this.column = column;
  }
}

/** A column's name as it stands, in quotes where it would not be clear where it begins and ends. */
export function shownColumn(name: string): string {
  return /^[^\s,:"]([^,:"\r\n]*[^\s,:"])?$/.test(name) ? name : JSON.stringify(name);
}
