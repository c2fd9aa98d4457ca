import type { ProjectPath } from '@dag/model';
import { loadPipeline, selectStages } from '@dag/pipeline';
import { expect, test } from 'vitest';
import { memoryReader } from '../../packages/pipeline/test/rig/memory.ts';
import { findDvcPython, type Selection, startDvc, WITHOUT_DVC } from './dvc.ts';

const FILES = {
  'pipeline.yaml': `stages:
  a: {cmd: a, outs: [x]}
  b: {cmd: b, deps: [x], outs: [y/z]}
  c: {cmd: c, deps: [y], outs: [w], frozen: true}
  d: {cmd: d, deps: [w], outs: [v]}
  x: {cmd: n}
  'a:b': {cmd: n}
  each: {foreach: [1, 2], do: {cmd: "e \${item}", outs: ["e\${item}"]}}
  odd: {foreach: {'k:v': 1, 'k/w': 2, 'a.b': 3}, do: {cmd: "e \${key}"}}
  mat: {matrix: {o: [win, mac], p: [1, {q: 1}]}, cmd: "m \${key}", deps: [e1]}
  one: {cmd: n, deps: [e2]}
`,
  'sub/pipeline.yaml': `stages:
  s: {cmd: s, deps: [../y/z], outs: [o]}
  a: {cmd: t, deps: [o]}
  odd: {foreach: {'k:v': 1}, do: {cmd: "e \${key}"}}
`,
  'sub/deep/pipeline.yaml': `stages:
  u: {cmd: u}
`,
};

/** What to select, and what it gives; undefined where it is refused. */
const SAME: readonly (readonly [Selection, readonly string[] | undefined])[] = [
  [{ targets: ['a'] }, ['a']],
  [{ targets: ['b'] }, ['a', 'b']],
  [{ targets: [':b'] }, ['a', 'b']],
  [{ targets: ['pipeline.yaml:b'] }, ['a', 'b']],
  [{ targets: ['./pipeline.yaml:b'] }, ['a', 'b']],
  [{ targets: ['pipeline.yaml:each'] }, ['each@1', 'each@2']],
  [{ targets: ['pipeline.yaml:each@2'] }, ['each@2']],
  [{ targets: [':each@2'] }, ['each@2']],
  [{ targets: ['each@3'] }, undefined],
  [{ targets: ['odd@k:v'] }, ['odd@k:v']],
  [{ targets: ['odd@k/w'] }, ['odd@k/w']],
  [{ targets: ['odd@a.b'] }, ['odd@a.b']],
  [{ targets: ['pipeline.yaml:odd@k:v'] }, ['odd@k:v']],
  [{ targets: ['sub/pipeline.yaml:odd@k:v'] }, ['sub/pipeline.yaml:odd@k:v']],
  [{ targets: ['mat'] }, ['each@1', 'mat@mac-1', 'mat@mac-p1', 'mat@win-1', 'mat@win-p1']],
  [{ targets: ['mat@win-p1'] }, ['each@1', 'mat@win-p1']],
  [{ targets: ['mat@win'] }, undefined],
  [{ targets: ['c'] }, ['c']],
  [{ targets: ['d'] }, ['c', 'd']],
  [{ targets: ['a', 'x'] }, ['a', 'x']],
  [{ targets: ['gone'] }, undefined],
  [{ targets: [':gone'] }, undefined],
  [{ targets: ['a', 'gone'] }, undefined],
  [{ targets: ['gone/pipeline.yaml'] }, undefined],
  [{ targets: ['sub/pipeline.yaml:gone'] }, undefined],
  [{ targets: ['sub/pipeline.yaml:s'] }, ['a', 'b', 'sub/pipeline.yaml:s']],
  [
    { targets: ['sub/pipeline.yaml'], single: true },
    ['sub/pipeline.yaml:s', 'sub/pipeline.yaml:a', 'sub/pipeline.yaml:odd@k:v'],
  ],
  [{ targets: ['sub/pipeline.yaml:a', 'b'], single: true }, ['sub/pipeline.yaml:a', 'b']],
  [{ targets: ['b', 'a', 'b'], single: true }, ['b', 'a']],
  [{ targets: ['each'], single: true }, ['each@1', 'each@2']],
  [{ targets: ['a'], cwd: 'sub' }, ['a', 'b', 'sub/pipeline.yaml:a', 'sub/pipeline.yaml:s']],
  [{ targets: ['b'], cwd: 'sub' }, undefined],
  [{ targets: ['../pipeline.yaml:b'], cwd: 'sub' }, ['a', 'b']],
  [{ targets: ['../pipeline.yaml:each'], cwd: 'sub' }, ['each@1', 'each@2']],
  [{ targets: ['deep/pipeline.yaml:u'], cwd: 'sub' }, ['sub/deep/pipeline.yaml:u']],
  [{ targets: ['../../pipeline.yaml:b'], cwd: 'sub/deep' }, ['a', 'b']],
  [{ targets: [], cwd: 'sub/deep' }, ['sub/deep/pipeline.yaml:u']],
  [{ targets: [], cwd: 'sub' }, ['a', 'b', 'sub/pipeline.yaml:a', 'sub/pipeline.yaml:odd@k:v', 'sub/pipeline.yaml:s']],
  [{ targets: ['a'], downstream: true }, ['a', 'b', 'sub/pipeline.yaml:a', 'sub/pipeline.yaml:s']],
  [{ targets: ['c'], downstream: true }, ['c', 'd']],
  [
    { targets: ['each'], downstream: true },
    ['each@1', 'each@2', 'mat@mac-1', 'mat@mac-p1', 'mat@win-1', 'mat@win-p1', 'one'],
  ],
  [{ targets: ['a', 'c'], downstream: true }, ['a', 'b', 'c', 'd', 'sub/pipeline.yaml:a', 'sub/pipeline.yaml:s']],
  [{ targets: ['b'], pipeline: true }, ['a', 'b', 'sub/pipeline.yaml:a', 'sub/pipeline.yaml:s']],
  [{ targets: ['c'], pipeline: true }, ['c', 'd']],
  [{ targets: ['one'], pipeline: true }, ['each@2', 'one']],
  [{ targets: ['x', 'one'], pipeline: true }, ['each@2', 'one', 'x']],
  [{ targets: ['e*'], glob: true }, ['each@1', 'each@2']],
  [{ targets: ['[ab]'], glob: true, single: true }, ['a', 'b']],
  [{ targets: ['[!a-z]*'], glob: true, single: true }, []],
  [{ targets: ['each'], glob: true }, ['each@1', 'each@2']],
  [{ targets: ['?'], glob: true }, ['a', 'b', 'c', 'd', 'x']],
  [{ targets: ['mat@*-1'], glob: true, single: true }, ['mat@win-1', 'mat@mac-1']],
  [{ targets: ['sub/pipeline.yaml:[as]'], glob: true, single: true }, ['sub/pipeline.yaml:s', 'sub/pipeline.yaml:a']],
];

/** What DVC refuses, or takes for everything. */
const OURS: readonly (readonly [Selection, readonly string[] | undefined])[] = [
  [{ targets: ['a:b'] }, ['a:b']],
  [{ targets: ['./x'] }, ['a']],
  [{ targets: ['y/z'] }, ['a', 'b']],
  [{ targets: ['y/z/inside'] }, ['a', 'b']],
  [{ targets: ['o'], cwd: 'sub' }, ['a', 'b', 'sub/pipeline.yaml:s']],
  [{ targets: ['../e1'], cwd: 'sub' }, ['each@1']],
  [{ targets: ['zz*'], glob: true }, undefined],
];

function ours({ targets, cwd = '', all = false, ...options }: Selection): readonly string[] | undefined {
  const { pipeline } = loadPipeline(memoryReader(FILES));
  if (pipeline === undefined) throw new Error('does not load');
  const found = selectStages(pipeline, targets, { ...options, allPipelines: all }, cwd as ProjectPath);
  if (!found.ok) return undefined;
  return options.single ? found.value : [...found.value].sort();
}

test.each([...SAME, ...OURS])('%j', (wanted, expected) => {
  // A pattern that names nothing is told here; without `single` DVC takes it for everything.
  expect(ours(wanted) ?? (wanted.glob && expected?.length === 0 ? [] : undefined)).toEqual(expected);
});

test('DVC selects the same', async (context) => {
  const python = findDvcPython();
  if (python === undefined) {
    if (process.env['DAG_REQUIRE_RIGS'] === '1') throw new Error(WITHOUT_DVC);
    return context.skip(WITHOUT_DVC);
  }
  const dvc = await startDvc(python);
  const theirs = (text: string) => text.replaceAll('pipeline.yaml', 'dvc.yaml');
  const answers = await dvc.select(
    FILES,
    SAME.map(([wanted]) => ({ ...wanted, targets: wanted.targets.map(theirs) })),
  );
  dvc.close();
  for (const [i, [wanted, expected]] of SAME.entries()) {
    const answer = answers[i];
    const names = answer !== undefined && 'refused' in answer ? undefined : answer;
    expect(names, JSON.stringify({ wanted, answer })).toEqual(expected?.map(theirs));
  }
});
