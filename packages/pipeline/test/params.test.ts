import { describe, expect, it } from 'vitest';
import { pipelineJsonSchema, readParams } from '../src/index.ts';
import { memoryReader, path, words } from './rig/memory.ts';
import { JSON_RECORDED, PYTHON_RECORDED, TOML_RECORDED } from './rig/recorded-params.ts';
import { readValues } from './rig/values.ts';

const PYTHON = `"""doc"""
import os
A = 1
B: float = 2.0
C = D = 3
E = [1, 'x', (2, 3)]
F = {'k': {'n': None}, "t": True}
G = os.environ["x"]
H = -1.5e3; I = 'a' "b"
J = f"{A}"
def f():
    Z = 1
    return {
        'x': 2}
class Train:
    """doc"""
    lr = 0.1
    class Deep:
        x = 1_000
    def __init__(self, y=(1,
                          2)):
        self.z = 'it\\'s'
        local = 3
        if local:
            self.no = 1
        self.last = {1, 2}
if A:
    K = 4
L = 0x1f
M = 1, 2
`;

const FILES = {
  'params.yaml': 'a: {b: [1, {c: x}]}\nbig: 123456789012345678901234567890\none: 1.0\n',
  'p.json': '{"a": {"b": 1.50}, "10": 1, "2": [null, true], "a.b": 0}',
  'p.toml': 'x = 1\n[t]\ny = 2.0\nd = 2020-01-01\n',
  'p.py': PYTHON,
};

describe('readParams', () => {
  it('takes a key with wildcards for the one that fits it', () => {
    const files = { 'params.yaml': 'sets: {gas1: {n: 1}, gas2: {n: 2}, sea1: {n: 3}}\n"a*": literal\nab: 4\n' };
    const { values, missing } = readParams(memoryReader(files), [
      { file: path('params.yaml'), keys: ['sets.sea*', 'sets.s?a1.n', 'sets.gas*', 'sets.none*', 'a*'] },
    ]);
    expect([...(values.get(path('params.yaml')) ?? [])]).toEqual([
      ['sets.sea*', { n: 3 }],
      ['sets.s?a1.n', 3],
      ['a*', 'literal'],
    ]);
    expect(missing.map(({ key }) => key)).toEqual(['sets.gas*', 'sets.none*']);
  });

  it('reads keys and whole files of every kind', () => {
    const { values, missing, diagnostics } = readParams(memoryReader(FILES), [
      { file: path('params.yaml'), keys: ['a.b.1.c', 'big', 'one', 'a.zz'] },
      { file: path('p.json'), keys: 'all' },
      { file: path('p.toml'), keys: ['t.y', 'x', 't.d'] },
      { file: path('p.py'), keys: 'all' },
      { file: path('none.yaml'), keys: ['q'] },
    ]);
    expect(diagnostics).toEqual([]);
    expect(missing).toEqual([
      { file: 'params.yaml', key: 'a.zz' },
      { file: 'none.yaml', key: undefined },
    ]);
    expect(Object.fromEntries([...values].map(([file, map]) => [file, Object.fromEntries(map)]))).toEqual({
      'params.yaml': { 'a.b.1.c': 'x', big: 123456789012345678901234567890n, one: 1 },
      'p.json': { a: { b: 1.5 }, '10': 1, '2': [null, true], 'a.b': 0 },
      'p.toml': { 't.y': 2, x: 1, 't.d': expect.stringContaining('2020-01-01') },
      'p.py': {
        A: 1,
        B: 2,
        E: [1, 'x', [2, 3]],
        F: { k: { n: null }, t: true },
        H: -1500,
        I: 'ab',
        Train: { lr: 0.1, Deep: { x: 1000 }, z: "it's", last: [1, 2] },
        L: 31,
        M: [1, 2],
      },
    });
  });

  it('shows what is broken in a file', () => {
    const read = (file: string, text: string) =>
      words(readParams(memoryReader({ [file]: text }), [{ file: path(file), keys: 'all' }]).diagnostics);
    expect(read('p.json', '{"a": 1,}')).toMatchInlineSnapshot(`
      "p.json:1:9: not JSON: a key in double quotes is missing
        {"a": 1,}
                ^"
    `);
    expect(read('p.toml', 'a = \n')).toMatchInlineSnapshot(`
      "p.toml:1:5: not TOML: invalid value
        a = 
            ^"
    `);
    expect(read('p.py', 'a = (1\n')).toMatchInlineSnapshot(`
      "p.py:1:7: not Python: a bracket is never closed
        a = (1
              ^"
    `);
    expect(read('p.yaml', '- 1\n')).toMatchInlineSnapshot(`"p.yaml:1:1: p.yaml holds a list, not a map"`);
    expect(read('p.yaml', 'a: [1\n')).toMatchInlineSnapshot(`
      "p.yaml:1:4: this '[' is not closed
        a: [1
           ^
        put a ']' behind its last entry"
    `);
  });
});

describe('params files are read as DVC reads them', () => {
  const recorded = [
    ...JSON_RECORDED.map(([text, value]) => ({ name: 'p.json', text, value })),
    ...TOML_RECORDED.map(([text, value]) => ({ name: 'p.toml', text, value })),
    ...PYTHON_RECORDED.map(([text, value]) => ({ name: 'p.py', text, value })),
  ];
  it.each(recorded)('$name: $text', ({ name, text, value }) => {
    const ours = readValues(name, text);
    if (value === undefined) expect(ours).toHaveProperty('refused');
    else expect(ours).toEqual({ value });
  });
});

describe('pipelineJsonSchema', () => {
  it('names every key and points only at what it holds', () => {
    const schema = JSON.parse(JSON.stringify(pipelineJsonSchema()));
    expect(Object.keys(schema.properties)).toEqual(
      expect.arrayContaining(['stages', 'data', 'remotes', 'vars', 'jobs']),
    );
    expect(Object.keys(schema.$defs.stage.properties)).toEqual(
      expect.arrayContaining(['cmd', 'worker', 'matrix', 'exclude']),
    );
    for (const [, name] of JSON.stringify(schema).matchAll(/"#\/\$defs\/(\w+)"/g))
      expect(schema.$defs).toHaveProperty(name ?? '');
  });
});
