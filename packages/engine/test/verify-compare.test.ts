import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { canonicalJson, type OutCheck, type ProjectPath, type Value } from '@dag/model';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { compareOut } from '../src/verify/compare/out.ts';

const base = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-compare-'));
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));

type Content = string | Uint8Array | { readonly [name: string]: Content };

function write(at: string, content: Content): void {
  fs.rmSync(at, { recursive: true, force: true });
  if (typeof content === 'string' || content instanceof Uint8Array) fs.writeFileSync(at, content);
  else {
    fs.mkdirSync(at);
    for (const [name, inner] of Object.entries(content)) write(path.join(at, name), inner);
  }
}

/** What comes of comparing two versions of an out. */
function compare(name: string, before: Content, after: Content, check: Omit<OutCheck, 'path'> | undefined = undefined) {
  const [a, b] = [path.join(base, 'before'), path.join(base, 'after')];
  write(a, before);
  write(b, after);
  const out = name as ProjectPath;
  return compareOut(out, a, b, { checks: check === undefined ? [] : [{ path: out, ...check }] });
}

const verdict = (...args: Parameters<typeof compare>) => compare(...args)[0]?.comparison.verdict ?? 'identical';
const absolute = (most: number) => ({ kind: 'absolute', most }) as const;
const relative = (most: number) => ({ kind: 'relative', most }) as const;

describe('bytes', () => {
  test('the first that differs is named, however large the file', () => {
    const before = Buffer.alloc((1 << 20) + 5, 1);
    const after = Buffer.from(before);
    after[(1 << 20) + 2] = 9;
    expect(compare('o', before, after)[0]?.comparison).toEqual({
      verdict: 'different',
      difference: { kind: 'byte', offset: (1 << 20) + 2, before: 1, after: 9 },
    });
    expect(compare('o', before, before.subarray(0, 7))[0]?.comparison).toMatchObject({
      difference: { offset: 7, before: 1, after: undefined },
    });
  });

  test('whatever the bytes: identical is what has the same, and the offset is that of the first that has not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (before, after) => {
        const at = before.findIndex((byte, i) => byte !== after[i]);
        const first = at === -1 && after.length > before.length ? before.length : at;
        const found = compare('o', before, after)[0]?.comparison;
        if (first === -1) expect(found).toBe(undefined);
        else expect(found).toMatchObject({ difference: { kind: 'byte', offset: first } });
      }),
      { numRuns: 60 },
    );
  });

  test('folders: each file, those that came and went, kinds and executable bits', () => {
    const found = compare('o', { a: '1', b: '2', d: { x: '1' }, k: 'file' }, { a: '1', c: '3', d: { x: '2' }, k: {} });
    expect(
      found.map(({ path: at, comparison }) => [at, 'difference' in comparison && comparison.difference.kind]),
    ).toEqual([
      ['o/b', 'file'],
      ['o/c', 'file'],
      ['o/d/x', 'byte'],
      ['o/k', 'part'],
    ]);
    write(path.join(base, 'before'), 'x');
    write(path.join(base, 'after'), 'x');
    fs.chmodSync(path.join(base, 'after'), 0o755);
    const [bit] = compareOut('o' as ProjectPath, path.join(base, 'before'), path.join(base, 'after'), { checks: [] });
    expect(bit?.comparison).toMatchObject({ difference: { part: 'executable bit', before: 'not set', after: 'set' } });
  });

  test('the nearest check holds, and what is to be ignored is left out', () => {
    const checks: OutCheck[] = [
      { path: 'o' as ProjectPath, ignore: true },
      { path: 'o/keep' as ProjectPath, as: 'bytes' },
    ];
    write(path.join(base, 'before'), { log: '1', keep: { a: '1' } });
    write(path.join(base, 'after'), { log: '2', keep: { a: '2' } });
    const found = compareOut('o' as ProjectPath, path.join(base, 'before'), path.join(base, 'after'), { checks });
    expect(found).toEqual([]);
    const inner = compareOut('o/keep' as ProjectPath, path.join(base, 'before/keep'), path.join(base, 'after/keep'), {
      checks,
    });
    expect(inner.length).toBe(1);
  });
});

describe('values', () => {
  test('order of keys and words for numbers count only where nothing is declared', () => {
    const [before, after] = ['{"a":1,"b":2}', '{ "b": 2.0, "a": 1e0 }'];
    expect(verdict('o.json', before, after, { as: 'json' })).toBe('canonical');
    expect(compare('o.json', before, after)[0]).toMatchObject({ comparison: { verdict: 'different' }, sameAs: 'json' });
    expect(verdict('o.dat', before, after, { as: 'json' })).toBe('canonical');
    expect(verdict('o.yaml', 'a: 1\nb: [x]\n', 'b:\n- x\na: 1.0\n', { as: 'yaml' })).toBe('canonical');
  });

  test.each([
    ['{"a":{"b":1}}', '{"a":{"b":1.04}}', { tolerance: relative(0.05) }, 'tolerated'],
    ['{"a":{"b":1}}', '{"a":{"b":1.06}}', { tolerance: relative(0.05) }, 'different'],
    ['{"a":{"b":1}}', '{"a":{"b":1.06}}', { tolerances: new Map([['a', absolute(0.1)]]) }, 'tolerated'],
    ['{"a":[1,2]}', '{"a":[1,3]}', { tolerances: new Map([['a[1]', absolute(1)]]) }, 'tolerated'],
    ['{"a":[1,2]}', '{"a":[2,2]}', { tolerances: new Map([['a[1]', absolute(1)]]) }, 'different'],
    ['{"a":1}', '{"a":1,"b":2}', { tolerance: absolute(100) }, 'different'],
    ['{"a":"1"}', '{"a":1}', { tolerance: absolute(100) }, 'different'],
    ['{"a":true}', '{"a":1}', { tolerance: absolute(100) }, 'different'],
    ['{"a":0}', '{"a":1e-9}', { tolerance: relative(0.5) }, 'different'],
    ['{"a":NaN}', '{"a":NaN, "b": 1}', { tolerance: absolute(1) }, 'different'],
    ['{"a":12345678901234567890}', '{"a":12345678901234567891}', { as: 'json' }, 'different'],
  ] as const)('%s and %s', (before, after, check, expected) => {
    expect(verdict('o.json', before, after, check)).toBe(expected);
  });

  test('the first key that differs too much, and the largest deviation of all', () => {
    const [found] = compare('o.json', '{"a":1,"b":{"c":2},"d":4}', '{"a":1.01,"b":{"c":3},"d":8}', {
      tolerance: absolute(0.1),
    });
    expect(found?.comparison).toEqual({
      verdict: 'different',
      difference: { kind: 'key', key: 'b.c', before: '2', after: '3' },
      deviation: { differing: 3, of: 3, absolute: 4, relative: 1 },
    });
  });

  test('what can not be read is compared by its bytes', () => {
    expect(compare('o.json', '{', '[', { as: 'json' })[0]).toMatchObject({
      as: 'bytes',
      comparison: { difference: { kind: 'byte' } },
    });
  });

  test('any value is canonical to itself in another order, and different from any other', () => {
    const shuffled = (value: Value): Value => {
      if (Array.isArray(value)) return value.map(shuffled);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, shuffled(inner)]),
      );
    };
    const any = fc.jsonValue({ noUnicodeString: false } as never) as fc.Arbitrary<Value>;
    fc.assert(
      fc.property(any, any, (one, other) => {
        const text = (value: Value) => JSON.stringify(value, undefined, 1);
        const same = verdict('o', text(one), `${text(shuffled(one))} `, { as: 'json' });
        expect(same).toBe('canonical');
        const differs = canonicalJson(one) !== canonicalJson(other);
        expect(verdict('o', text(one), `${text(other)} `, { as: 'json' })).toBe(differs ? 'different' : 'canonical');
      }),
      { numRuns: 100 },
    );
  });
});

describe('text and tables', () => {
  test('line ends', () => {
    expect(verdict('o.txt', 'a\nb\n', 'a\r\nb', { as: 'text' })).toBe('canonical');
    expect(compare('o.txt', 'a\nb\n', 'a\nc\n')[0]?.comparison).toMatchObject({
      difference: { kind: 'line', line: 2, before: 'b', after: 'c' },
    });
  });

  test.each([
    ['x,y\n1,2\n', 'x,y\r\n1,"2"', { as: 'csv' }, 'canonical'],
    ['x,y\n1,2.0\n', 'x,y\n1,2\n', { as: 'csv' }, 'canonical'],
    ['x,y\n1,2\n', 'x,y\n1,2.01\n', { tolerances: new Map([['y', relative(0.01)]]) }, 'tolerated'],
    ['x,y\n1,2\n', 'x,y\n1.01,2\n', { tolerances: new Map([['y', relative(0.01)]]) }, 'different'],
    ['x,y\n1,2\n', 'x,y\n1,2\n3,4\n', { tolerance: absolute(9) }, 'different'],
    ['x\n"a,""b\n"\n', 'x\n"a,""b\n"\r\n', { as: 'csv' }, 'canonical'],
    ['x,y\n1,\n', 'x,y\n1,0\n', { tolerance: absolute(9) }, 'different'],
    ['x\n2026-01-01\n', 'x\n2026-01-02\n', { tolerance: absolute(9) }, 'different'],
  ] as const)('%j and %j', (before, after, check, expected) => {
    expect(verdict('o.csv', before, after, check)).toBe(expected);
  });

  test('the cell', () => {
    expect(compare('o.tsv', 'n\tv\na\t1\nb\t2\n', 'n\tv\na\t1\nb\t3\n')[0]?.comparison).toEqual({
      verdict: 'different',
      difference: { kind: 'cell', row: 3, column: 'v', before: '2', after: '3' },
      deviation: { differing: 1, of: 2, absolute: 1, relative: 0.5 },
    });
  });
});

describe('models and arrays', () => {
  const floats = (...values: number[]) => Buffer.from(new Float32Array(values).buffer);
  const ints = (...values: number[]) => Buffer.from(new Int32Array(values).buffer);
  const K = { name: 'k', shape: [2, 2], dtype: 'float32' };
  const I = { name: 'i', shape: [1], dtype: 'int32' };
  const model = (
    groups: readonly { paths: readonly string[]; weights: readonly object[] }[],
    files: Record<string, Content>,
    topology = {},
  ) => ({
    'model.json': JSON.stringify({ modelTopology: topology, weightsManifest: groups }),
    ...files,
  });
  const plain = model([{ paths: ['w'], weights: [K, I] }], { w: Buffer.concat([floats(1, 2, 3, 4), ints(7)]) });

  test('weights are tensors, however they are cut into files and in whatever order', () => {
    const other = model(
      [
        { paths: ['i'], weights: [I] },
        { paths: ['k1', 'k2'], weights: [K] },
      ],
      { i: ints(7), k1: floats(1, 2), k2: floats(3, 4) },
    );
    expect(compare('m', plain, other, { as: 'tfjs' })).toMatchObject([
      { path: 'm', comparison: { verdict: 'canonical' } },
    ]);
    expect(compare('m', plain, other).every(({ sameAs }) => sameAs === 'tfjs')).toBe(true);
  });

  test('the tensor, the index and the largest deviation; with or without a declaration', () => {
    const other = model([{ paths: ['w'], weights: [K, I] }], { w: Buffer.concat([floats(1, 2, 3.5, 4.25), ints(7)]) });
    const expected = {
      verdict: 'different',
      difference: { kind: 'tensor', tensor: 'k', index: [1, 0], before: 3, after: 3.5 },
      deviation: { differing: 2, of: 5, absolute: 0.5, relative: 0.5 / 3 },
    };
    expect(compare('m', plain, other, { as: 'tfjs', tolerance: absolute(0.3) })[0]?.comparison).toEqual(expected);
    expect(compare('m', plain, other)[0]?.comparison).toEqual(expected);
    expect(verdict('m', plain, other, { as: 'tfjs', tolerances: new Map([['k', absolute(0.5)]]) })).toBe('tolerated');
    expect(verdict('m', plain, other, { as: 'tfjs', tolerances: new Map([['i', absolute(0.5)]]) })).toBe('different');
  });

  test('another topology, shape or tensor', () => {
    const weights = { w: Buffer.concat([floats(1, 2, 3, 4), ints(7)]) };
    const group = (...specs: object[]) => [{ paths: ['w'], weights: specs }];
    const check = { as: 'tfjs', tolerance: absolute(1e9) } as const;
    expect(compare('m', plain, model(group(K, I), weights, { a: 1 }), check)[0]?.comparison).toMatchObject({
      difference: { kind: 'key', key: 'modelTopology.a' },
    });
    expect(compare('m', plain, model(group({ ...K, shape: [4] }, I), weights), check)[0]?.comparison).toMatchObject({
      difference: { part: 'tensor k', before: 'float32[2, 2]', after: 'float32[4]' },
    });
    expect(compare('m', plain, model(group({ ...K, name: 'z' }, I), weights), check)[0]?.comparison).toMatchObject({
      difference: { part: 'tensor k', after: 'none' },
    });
  });

  test('quantized weights are what they stand for', () => {
    const quantized = (scale: number, byte: number) =>
      model(
        [
          {
            paths: ['w'],
            weights: [{ name: 'q', shape: [1], dtype: 'float32', quantization: { dtype: 'uint8', scale, min: -1 } }],
          },
        ],
        { w: Buffer.from([byte]) },
      );
    expect(verdict('m', quantized(0.5, 4), quantized(0.25, 8), { as: 'tfjs' })).toBe('canonical');
    expect(compare('m', quantized(0.5, 4), quantized(0.5, 6), { as: 'tfjs' })[0]?.comparison).toMatchObject({
      difference: { before: 1, after: 2 },
    });
  });

  test('a model whose weights are cut short is compared by its bytes', () => {
    const short = { ...plain, w: floats(1, 2) };
    expect(compare('m', plain, short, { as: 'tfjs', tolerance: absolute(9) })).toMatchObject([
      { path: 'm/w', comparison: { difference: { kind: 'byte' } } },
    ]);
  });

  const npy = (descr: string, shape: string, data: Uint8Array, version = 1) => {
    const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }\n`;
    const head = Buffer.alloc(version === 1 ? 10 : 12);
    head.write('\x93NUMPY', 'latin1');
    head[6] = version;
    if (version === 1) head.writeUInt16LE(text.length, 8);
    else head.writeUInt32LE(text.length, 8);
    return Buffer.concat([head, Buffer.from(text), data]);
  };

  test('NumPy arrays', () => {
    const before = npy('<f4', '2, 2', floats(1, 2, 3, 4));
    expect(verdict('o.npy', before, npy('<f4', '2, 2', floats(1, 2, 3, 4), 2), { as: 'npy' })).toBe('canonical');
    expect(
      compare('o.npy', before, npy('<f4', '2, 2', floats(1, 2, 3, 5)), { tolerance: absolute(0.5) })[0]?.comparison,
    ).toMatchObject({
      difference: { kind: 'tensor', tensor: 'array', index: [1, 1], before: 4, after: 5 },
    });
    expect(verdict('o.npy', before, npy('<f4', '2, 2', floats(1, 2, 3, 4.5)), { tolerance: absolute(0.5) })).toBe(
      'tolerated',
    );
    expect(
      verdict('o.npy', npy('>f4', '1,', Buffer.from([0x3f, 0x80, 0, 0])), npy('<f4', '1,', floats(1)), { as: 'npy' }),
    ).toBe('canonical');
    expect(
      verdict('o.npy', npy('<f2', '1,', Buffer.from([0, 0x3c])), npy('<f2', '1,', Buffer.from([1, 0x3c])), {
        tolerance: absolute(0.001),
      }),
    ).toBe('tolerated');
    expect(compare('o.npy', npy('|O', '1,', floats(1)), npy('|O', '1,', floats(2)), { as: 'npy' })[0]).toMatchObject({
      as: 'bytes',
    });
  });
});
