import { describe, expect, it } from 'vitest';
import { formatFloat, shellQuote } from '../src/template/format.ts';
import { problems, sound } from './rig/memory.ts';

const PARAMS = `a: 1
b: {c: 2, d: [x, y], e: null, f: 1.0, g: true, tiny: 0.00001}
m: [{n: q}, {n: r}]
flags: {a: 1, b: {c: x y, e: 2.0}, l: [1, two three, 1.5, null, true], f: false, t: true, n: null, em: [], emd: {}}
`;

function commands(text: string, params = PARAMS): Record<string, unknown> {
  const { stages } = sound({
    'pipeline.yaml': text,
    'params.yaml': params,
    'p2.yaml': 'q: 1\nr: 2\n',
    'sub/q.yaml': 'k: 9\n',
  });
  return Object.fromEntries(
    [...stages].map(([address, { action }]) => [address, action.kind === 'command' ? action.cmd : null]),
  );
}

describe('templates', () => {
  it.each([
    ['${a} ${b.c} ${b.d[0]} ${b.d.1} ${b.d[-1]} ${b.e} ${b.f} ${b.g} ${b.tiny}', '1 2 x y y None 1.0 true 1e-05'],
    ['${ b . d [0] } $a $${a} \\${a} ${a', 'x $a $1 ${a} ${a'],
    ['run ${flags}', "run --a 1 --b.c 'x y' --b.e 2.0 --l 1 'two three' 1.5 None True --t --n None"],
  ])('%s', (cmd, expected) => {
    expect(commands(`stages:\n  s:\n    cmd: ${JSON.stringify(cmd)}\n`)).toEqual({ s: expected });
  });

  it('unpack flags as `parsing` says', () => {
    const text = 'parsing: {bool: boolean_optional, list: append}\nstages: {s: {cmd: "x ${o}"}}\n';
    expect(commands(text, 'o: {t: true, f: false, l: [1, 2]}\n')).toEqual({ s: 'x --t --no-f --l 1 --l 2' });
  });

  it('draw on vars, of the file and of the stage, merged', () => {
    const text = `vars: [{v: 1, b: {z: 3}}, 'p2.yaml:q']
stages:
  s:
    wdir: sub
    vars: [q.yaml, {w: 2}]
    cmd: \${v} \${b.z} \${b.c} \${q} \${k} \${w}
`;
    expect(commands(text)).toEqual({ s: '1 3 2 1 9 2' });
  });

  it('note the values that they drew from files', () => {
    const { used } = sound({
      'pipeline.yaml': 'vars: [{v: 1}]\nstages: {s: {cmd: "${a} ${v} ${m[0].n}"}}\n',
      'params.yaml': PARAMS,
    });
    expect(used.get('s' as never)).toEqual(
      new Map([
        [
          'params.yaml',
          new Map<string, unknown>([
            ['a', 1],
            ['m.0.n', 'q'],
          ]),
        ],
      ]),
    );
  });

  it('refuse redefinition, templates in vars, lists, and reserved names', () => {
    expect(problems('vars: [{a: 2}]\n', { 'params.yaml': PARAMS })).toContain(
      "vars sets 'a', which params.yaml sets already",
    );
    expect(problems('vars: [{x: "${a}"}]\n', { 'params.yaml': PARAMS })).toContain("vars can't hold ${…}");
    expect(problems('vars: [nope.yaml]\n')).toContain("the file 'nope.yaml' does not exist");
    expect(problems('vars: [params.yaml:zz]\n')).toContain("the file 'params.yaml' does not exist");
    expect(problems('stages: {s: {foreach: [1], do: {vars: [{item: 2}], cmd: x}}}\n')).toContain("'item' is the name");
  });
});

describe('foreach and matrix', () => {
  it('name stages as DVC does', () => {
    const text = `stages:
  drawn: {foreach: "\${b}", do: {cmd: "\${key}"}}
  list: {foreach: [true, null, 1.0, 1e-5], do: {cmd: "\${item}"}}
  maps: {foreach: "\${m}", do: {cmd: "\${item.n}"}}
  mixed:
    matrix:
      x: [1, true]
      y: ["\${b.g}", {q: 1}]
    cmd: "\${item.x} \${key}"
`;
    expect(commands(text, 'b: {c: true}\nm: [{n: q}]\n'.replace('c: true', 'g: true'))).toEqual({
      'drawn@g': 'g',
      'list@true': 'true',
      'list@None': 'None',
      'list@1.0': '1.0',
      'list@1e-05': '1e-05',
      'maps@0': 'q',
      'mixed@1-True': '1 1-True',
      'mixed@1-y1': '1 1-y1',
      'mixed@true-True': 'true true-True',
      'mixed@true-y1': 'true true-y1',
    });
  });

  it('leave out what exclude matches, and add what include names', () => {
    const text = `stages:
  s:
    matrix: {x: [1, 2], y: [a, b]}
    exclude: [{x: 1, y: b}, {x: 2, y: a}]
    include: [{x: 3, y: c}, {y: a, x: 1}]
    cmd: "\${item.x}\${item.y}"
`;
    expect(commands(text)).toEqual({ 's@1-a': '1a', 's@2-b': '2b', 's@3-c': '3c' });
    expect(problems(text.replace('{x: 3, y: c}', '{x: 3}'))).toContain("this combination lacks 'y'");
    expect(problems(text.replace('{x: 1, y: b}', '{z: 1}'))).toContain("'z' is no key of the matrix");
  });
});

describe('text of values', () => {
  it.each([
    [1, '1.0'],
    [-0, '-0.0'],
    [1e16, '1e+16'],
    [123456789012345680, '1.2345678901234568e+17'],
    [0.0001, '0.0001'],
    [0.00001234, '1.234e-05'],
    [1e22, '1e+22'],
    [1234.5, '1234.5'],
    [1e15, '1000000000000000.0'],
    [Number.NaN, 'nan'],
    [-Infinity, '-inf'],
  ])('%d is %s', (value, text) => {
    expect(formatFloat(value)).toBe(text);
  });

  it('quotes for a shell only where it must', () => {
    expect(['a/b=c', 'x y', '', "it's", 'é'].map(shellQuote)).toEqual(['a/b=c', "'x y'", "''", `'it'"'"'s'`, "'é'"]);
  });
});
