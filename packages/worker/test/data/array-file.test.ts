import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  arrayRows,
  divideRows,
  oneHotRows,
  openArray,
  reshapeRows,
  saveArray,
  sliceRows,
} from '../../src/public/data.ts';
import { readAll, testFolder } from './folder.ts';

const folder = testFolder();
const numpy = (name: string) => join(import.meta.dirname, 'numpy', `${name}.npy`);

describe('files that NumPy wrote', () => {
  it.each([
    ['i8', 'int32', 3, [2], [0, 1, 2, 3, 4, 5]],
    ['i2', 'int32', 2, [], [-3, 300]],
    ['b1', 'uint8', 2, [], [1, 0]],
    ['f2', 'float32', 5, [], [1.5, -2, 65504, 2 ** -24, Number.POSITIVE_INFINITY]],
    ['f8be', 'float32', 1, [2], [Math.fround(0.1), 2]],
    ['u1', 'uint8', 4, [3, 2], Array.from({ length: 24 }, (_, i) => i)],
  ])('%s', async (name, dtype, count, shape, values) => {
    for (const memory of [0, 1 << 20]) {
      const rows = await openArray(numpy(name), { memory });
      expect(rows).toMatchObject({ dtype, count, shape });
      expect(await readAll(rows)).toEqual(values);
    }
  });

  it('are refused where they hold what batches cannot', async () => {
    await expect(openArray(numpy('text'))).rejects.toThrow(/text\.npy: it holds '<U1', not numbers.*astype/);
    await expect(openArray(numpy('fortran'))).rejects.toThrow(/fortran\.npy: .*ascontiguousarray/);
    await expect(readAll(await openArray(numpy('u4')))).rejects.toThrow(
      /u4\.npy: 4294967295 is too large for an int32/,
    );
  });
});

it('reads what it saved, row by row in any order, whole or piece by piece', async () => {
  const rows = fc.tuple(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: 7 }),
    fc.constantFrom('u1', 'i4', 'f4'),
  );
  await fc.assert(
    fc.asyncProperty(rows, fc.infiniteStream(fc.nat(1e6)), async ([count, width, kind], draw) => {
      const plain = Array.from({ length: count * width }, () => (draw.next().value ?? 0) % 256);
      const values =
        kind === 'u1' ? Uint8Array.from(plain) : kind === 'i4' ? Int32Array.from(plain) : Float32Array.from(plain);
      const file = join(folder, 'saved.npy');
      await saveArray(file, values, [count, width]);
      const indices = Uint32Array.from({ length: 9 }, () => (draw.next().value ?? 0) % count);
      const expected = [...indices].flatMap((i) => plain.slice(i * width, (i + 1) * width));
      for (const memory of [0, 1 << 20]) {
        const reader = await (await openArray(file, { memory })).open();
        expect([...(await reader.read(indices))]).toEqual(expected);
        await reader.close();
      }
    }),
    { numRuns: 30 },
  );
});

it('reads IDX, and bare numbers', async () => {
  const idx = join(folder, 'labels.idx');
  writeFileSync(idx, Buffer.from([0, 0, 11, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 255, 254]));
  const rows = await openArray(idx);
  expect(rows).toMatchObject({ count: 2, shape: [1], dtype: 'int32' });
  expect(await readAll(rows)).toEqual([258, -2]);

  const bare = join(folder, 'bare.bin');
  writeFileSync(bare, new Float32Array([1, 2, 3, 4, 5, 6]));
  expect(await readAll(await openArray(bare, { shape: [3], type: 'f4' }))).toEqual([1, 2, 3, 4, 5, 6]);
  await expect(openArray(bare)).rejects.toThrow(/neither \.npy nor IDX; say the `shape`/);
  await expect(openArray(bare, { shape: [4], type: 'f4' })).rejects.toThrow(
    '24 bytes are no whole number of rows of 4 f4',
  );
});

it('says of a file that was cut off how long it should be', async () => {
  const whole = readFileSync(numpy('i8'));
  const file = join(folder, 'short.npy');
  for (const length of [7, 60, 128, 170]) {
    writeFileSync(file, whole.subarray(0, length));
    await expect(openArray(file)).rejects.toThrow(length < 128 ? /header/ : /bytes long, and 176 by its header/);
  }
  writeFileSync(file, whole);
  const rows = await openArray(file, { memory: 0 });
  truncateSync(file, 150);
  await expect(readAll(rows)).rejects.toThrow('short.npy: it became shorter while it was read');
});

it('cuts, reshapes, divides and spreads rows', async () => {
  const rows = arrayRows(Uint8Array.from([0, 51, 102, 153, 204, 255]), [3, 2]);
  expect(await readAll(sliceRows(rows, 1))).toEqual([102, 153, 204, 255]);
  expect(await readAll(sliceRows(rows, -1))).toEqual([204, 255]);
  expect(await readAll(sliceRows(rows, 0, 1))).toEqual([0, 51]);
  expect(await readAll(divideRows(rows, 255))).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1].map(Math.fround));
  expect(reshapeRows(rows, [1, 2, 1]).shape).toEqual([1, 2, 1]);
  expect(() => reshapeRows(rows, [3])).toThrow("rows of 2 numbers can't be read as 3");
  expect(() => arrayRows(new Uint8Array(5), [3, 2])).toThrow('5 numbers are no 3 × 2');

  const labels = arrayRows(Int32Array.from([2, 0]), [2]);
  expect(await readAll(oneHotRows(labels, 3))).toEqual([0, 0, 1, 1, 0, 0]);
  await expect(readAll(oneHotRows(labels, 2))).rejects.toThrow('a label is 2, and there are only the classes 0 to 1');
});
