import type { Bound, OutCheck } from '@dag/model';
import { type Comparison, Numbers } from './difference.ts';

/** Compares lines, however they end: with LF, CRLF, or the last of them with nothing. */
export function compareText(before: Uint8Array, after: Uint8Array): Comparison {
  const [a, b] = [linesOf(before), linesOf(after)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i] !== b[i])
      return { verdict: 'different', difference: { kind: 'line', line: i + 1, before: a[i], after: b[i] } };
  }
  return { verdict: 'canonical' };
}

function linesOf(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('utf8');
  const lines = text.split(/\r\n|\n|\r/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/**
 * Compares tables cell by cell, with a header. How lines end and whether a cell is quoted does not count; numbers are compared as
 * such, with the tolerance of their column.
 */
export function compareTables(
  before: Uint8Array,
  after: Uint8Array,
  separator: ',' | '\t',
  check: OutCheck | undefined,
): Comparison {
  const [a, b] = [rowsOf(before, separator), rowsOf(after, separator)];
  const header = a[0] ?? [];
  const numbers = new Numbers();
  for (let row = 0; row < Math.max(a.length, b.length); row++) {
    const [left, right] = [a[row] ?? [], b[row] ?? []];
    for (let at = 0; at < Math.max(left.length, right.length); at++) {
      const [old, now] = [left[at], right[at]];
      const column = header[at] ?? String(at + 1);
      const difference = { kind: 'cell', row: row + 1, column, before: old, after: now } as const;
      const [x, y] = [numberOf(old), numberOf(now)];
      if (x !== undefined && y !== undefined) numbers.add(x, y, boundOf(check, column), () => difference);
      else if (old !== now) numbers.other(difference);
    }
  }
  return numbers.comparison();
}

function boundOf(check: OutCheck | undefined, column: string): Bound | undefined {
  return check?.tolerances?.get(column) ?? check?.tolerance;
}

function numberOf(cell: string | undefined): number | undefined {
  if (cell === undefined || !/^\s*[+-]?(\d|\.\d|inf|nan)/i.test(cell)) return undefined;
  const text = cell.trim();
  if (/^[+-]?(inf|infinity)$/i.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  const number = Number(text);
  return Number.isNaN(number) ? undefined : number;
}

/** Rows of cells, quoted as RFC 4180 has it. */
function rowsOf(bytes: Uint8Array, separator: string): string[][] {
  const text = Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  const rows: string[][] = [];
  let row: string[] = [];
  for (let at = 0; at < text.length; ) {
    let cell = '';
    if (text[at] === '"') {
      for (at++; at < text.length; at++) {
        if (text[at] !== '"') cell += text[at];
        else if (text[at + 1] === '"') cell += text[at++];
        else break;
      }
      at++;
    }
    const end = /[\r\n]/.test(text[at] ?? '') || text[at] === separator ? at : nextOf(text, at, separator);
    cell += text.slice(at, end);
    row.push(cell);
    at = end;
    if (text[at] === separator) {
      at++;
      if (at < text.length && !/[\r\n]/.test(text[at] ?? '')) continue;
      row.push('');
    }
    at += text.startsWith('\r\n', at) ? 2 : 1;
    rows.push(row);
    row = [];
  }
  return rows;
}

function nextOf(text: string, from: number, separator: string): number {
  let at = from;
  while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at++;
  return at;
}
