import { Parser } from 'csv-parse';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CsvScanner } from '../../src/public/data/csv-scan.ts';

interface Seen {
  readonly records: (readonly [line: number, ...cells: string[]])[];
  readonly isClear: boolean;
}

/** What the scanner makes of bytes that come in pieces of some sizes, over and over. */
function scan(bytes: Buffer, sizes: readonly number[]): Seen {
  const scanner = new CsvScanner(','.charCodeAt(0));
  const records: [number, ...string[]][] = [];
  const take = (chunk: Buffer, last: boolean) =>
    scanner.read(chunk, last, (cells, line) => {
      const texts = Array.from({ length: cells.count }, (_, i) => cells.text(i));
      for (const [i, text] of texts.entries()) expect(cells.plain(i) ?? Number(text)).toBe(Number(text));
      records.push([line, ...texts]);
    });
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    if (!take(bytes.subarray(at, at + size), false)) return { records, isClear: false };
    at += size;
  }
  return { records, isClear: take(Buffer.alloc(0), true) };
}

/** What the parser makes of them. */
function parse(bytes: Buffer): Seen {
  const records: [number, ...string[]][] = [];
  const parser = new Parser({
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    on_record: (cells: readonly string[], { lines }) => {
      records.push([lines, ...cells]);
      return null;
    },
  });
  let isClear = true;
  const failed = () => {
    isClear = false;
  };
  parser.on('error', failed);
  // It works while it is written to.
  parser.write(bytes, (error) => error != null && failed());
  parser.end();
  return { records, isClear };
}

const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 });
const CLAIMED = 300;

it('makes of any text what the parser makes of it, as far as it can tell', () => {
  const piece = fc.constantFrom(
    'a',
    '1',
    '-',
    '.',
    'é',
    ' ',
    ',',
    ',',
    '"',
    '""',
    '"x"',
    '\n',
    '\n',
    '\r\n',
    '\r',
    '\0',
  );
  fc.assert(
    fc.property(fc.array(piece), sizes, fc.boolean(), (pieces, cuts, bom) => {
      const bytes = Buffer.from((bom ? '\ufeff' : '') + pieces.join(''));
      const [scanned, parsed] = [scan(bytes, cuts), parse(bytes)];
      if (scanned.isClear) expect(scanned).toEqual(parsed);
      else expect(parsed.records.slice(0, scanned.records.length)).toEqual(scanned.records);
    }),
    { numRuns: 5 * CLAIMED },
  );
});

it('can tell all that is well-formed', () => {
  const cell = fc.oneof(
    fc.double({ noNaN: true }).map(String),
    fc.integer().map(String),
    fc
      .string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' ') })
      .map((text) => `"${text.replaceAll('"', '""')}"`),
  );
  const rows = fc.array(fc.array(cell, { minLength: 1 }), { minLength: 1 });
  fc.assert(
    fc.property(rows, fc.constantFrom('\n', '\r\n'), fc.boolean(), sizes, (table, ending, isEnded, cuts) => {
      const bytes = Buffer.from(table.map((cells) => cells.join()).join(ending) + (isEnded ? ending : ''));
      const scanned = scan(bytes, cuts);
      expect(scanned).toEqual(parse(bytes));
      expect(scanned).toMatchObject({ isClear: true, records: { length: table.length } });
    }),
    { numRuns: CLAIMED },
  );
});

it.each([
  ['another line ending', 'a\nb\r\nc'],
  ['a line ending of one byte', 'a\rb'],
  ['a quote within a cell', 'a"b\n'],
  ['more behind a quote', '"a"b\n'],
  ['a quote that is not closed', '"a\n'],
  ['a line ending of two bytes in quotes', '"a\r\nb"'],
  ['UTF-16', '\ufffe'],
])('leaves %s to the parser', (_, text) => {
  const bytes = text === '\ufffe' ? Buffer.from('\ufeffa', 'utf16le') : Buffer.from(text);
  expect(scan(bytes, [3]).isClear).toBe(false);
});
