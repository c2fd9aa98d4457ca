import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { batches, readCsv, streamCsv } from '../../src/public/data.ts';
import { collect, failure, readAll, testFolder } from './folder.ts';

const folder = testFolder();

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const IRIS =
  '\ufeffname,"length, cm",width,species\r\n"a ""small"" one",1.4,.2,setosa\r\n"two\nlines",4.7,1.4e0,virginica\r\n\r\nc,6,-2.5,setosa';
const classes = { species: ['setosa', 'virginica'] };

it('reads quoted cells, line breaks in them, either line ending, and words', async () => {
  const file = write('iris.csv', IRIS);
  const { x, y } = await readCsv(file, { x: ['width', 'length, cm'], y: 'species' }, { classes });
  expect(x).toMatchObject({ count: 3, shape: [2], dtype: 'float32' });
  expect(y).toMatchObject({ count: 3, shape: [], dtype: 'int32' });
  expect(await readAll(x)).toEqual([0.2, 1.4, 1.4, 4.7, -2.5, 6].map(Math.fround));
  expect(await readAll(y)).toEqual([0, 1, 0]);
});

it('streams the same rows as it reads', async () => {
  const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => Math.fround(value));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(number, fc.string(), number), { minLength: 1 }), async (rows) => {
      const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
      const file = write('drawn.csv', `a,b,c\n${rows.map(([a, b, c]) => `${a},${quoted(b)},${c}\n`).join('')}`);
      const parts = { x: ['c', 'a'] } as const;
      const expected = rows.flatMap(([a, , c]) => [c, a]).map((value) => value + 0);
      expect((await readAll((await readCsv(file, parts)).x)).map((value) => value + 0)).toEqual(expected);
      const streamed = await collect(batches(streamCsv(file, parts), { size: 3 }));
      expect(streamed.flatMap(({ data }) => [...data.x.values]).map((value) => value + 0)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

it('reads files without header, with tabs, and with cells that are missing', async () => {
  const tabs = write('t.tsv', '1\t2\n\t4\n');
  const { x } = await readCsv(tabs, { x: ['2', '1'] }, { header: false, missing: -1 });
  expect(await readAll(x)).toEqual([2, 1, 4, -1]);
  expect((await readCsv(write('empty.csv', 'a,b\n'), { a: 'a' })).a.count).toBe(0);
});

it('goes on where only a parser can tell what is meant, with no row lost or twice, and the lines right', async () => {
  const mixed = 'a,b\n1,"x"\n2,"y\r\nz"\n3,w\n4\r,v\n';
  const file = write('mixed.csv', mixed);
  expect(await readAll((await readCsv(file, { a: 'a' })).a)).toEqual([1, 2, 3, 4]);
  expect(await failure(streamCsv(write('mixed.csv', `${mixed}five,u\n`), { a: 'a' }))).toContain('column a: "five"');
  const long = `a,b\n1,x\n2,"${'y\n'.repeat(3 * 2 ** 20)}"\n3,z\n`;
  expect(await readAll((await readCsv(write('long.csv', long), { a: 'a' })).a)).toEqual([1, 2, 3]);
});

it.each([
  ['a word', 'a,b\n1,2\n3,four\n', ':3: column b: "four" is not a number; if it holds words, name them with `classes`'],
  ['an empty cell', 'a,b\n1,\n', ':2: column b: the cell is empty; say what that stands for with `missing`'],
  ['a short row', 'a,b\n1,2\n\n3\n', ':4: it has 1 cell, and the first line has 2'],
  ['a long row', 'a,b\n"1\n",2\n3,4,5\n', ':4: it has 3 cells, and the first line has 2'],
  ['a column that is not there', 'a,c\n1,2\n', ':1: there is no column b, only a, c'],
  ['names that would run together', '"a, b", b ,a\n1,2,3\n', ':1: there is no column b, only "a, b", " b ", a'],
  ['nothing', '', ': it is empty'],
])('says where there is %s', async (_, text, message) => {
  const file = write('bad.csv', text);
  expect(await failure(streamCsv(file, { x: ['a', 'b'] }))).toBe(`DataError: ${file}${message}`);
  await expect(readCsv(file, { x: ['a', 'b'] })).rejects.toThrow(message);
});

it('says which words there may be, and where a quote is not closed', async () => {
  const file = write('words.csv', 'species\nsetosa\nvirginika\n');
  const parts = { y: 'species' };
  expect(await failure(streamCsv(file, parts, { classes }))).toBe(
    `DataError: ${file}:3: column species: "virginika" is not among its classes: setosa, virginica`,
  );
  expect(await failure(streamCsv(file, parts, { classes: { Species: ['setosa'] } }))).toBe(
    `DataError: ${file}:1: there is no column Species that \`classes\` names, only species`,
  );
  const open = write('open.csv', 'species\n"setosa\n');
  expect(await failure(streamCsv(open, parts, { classes }))).toMatch(/^DataError: .*open\.csv:\d+: .*quot/i);
  await expect(readCsv(join(folder, 'none.csv'), parts)).rejects.toThrow('ENOENT');
});
