import type { Artifact, Change, ProjectPath } from '@dag/model';
import { blake3Digest } from '@dag/model';
import { describe, expect, test } from 'vitest';
import { changeJson, changeText } from '../src/render/change.ts';
import { dotText, drawGraph, mermaidText } from '../src/render/graph.ts';
import { jsonLine } from '../src/render/json.ts';
import { bytesText, secondsText } from '../src/render/units.ts';

const path = (text: string): ProjectPath => text as ProjectPath;
const file = (hex: string): Artifact => ({
  kind: 'file',
  digest: blake3Digest(hex.repeat(32)),
  size: 1,
  executable: false,
});

const CHANGES: readonly Change[] = [
  { changed: 'never-run' },
  { changed: 'always', why: 'always_changed' },
  { changed: 'always', why: 'nothing-declared' },
  { changed: 'forced', by: 'force' },
  {
    changed: 'command',
    how: 'modified',
    before: 'python train.py --lr 1 --fast',
    after: 'python train.py --lr 2 --fast',
  },
  { changed: 'command', how: 'modified', before: 'a  b', after: 'a b' },
  { changed: 'worker', how: 'modified', path: path('src/train.ts') },
  { changed: 'wdir', how: 'modified', before: '', after: 'sub' },
  { changed: 'dep', path: path('data'), how: 'modified', before: file('ab'), after: file('cd') },
  { changed: 'out', path: path('model'), how: 'not-in-cache' },
  { changed: 'data', path: path('raw'), how: 'deleted' },
  {
    changed: 'param',
    file: path('params.yaml'),
    key: 'lr',
    how: 'modified',
    before: 0.1,
    after: 12345678901234567890n,
  },
  { changed: 'param', file: path('params.yaml'), key: 'layers', how: 'added', after: [64, { units: 10 }] },
  { changed: 'env', name: 'MODE', how: 'removed', before: 'fast' },
];

test('changes in words', () => {
  expect(CHANGES.map(changeText).join('\n')).toMatchInlineSnapshot(`
    "never run
    always_changed
    no deps, params or outs are declared
    forced
    command modified: "--lr 1 --fast" → "--lr 2 --fast"
    command modified: "a  b" → "a b"
    worker module src/train.ts modified
    wdir modified: . → sub
    dep data modified (abababab → cdcdcdcd)
    out model is not in the cache
    data raw deleted
    param params.yaml:lr modified (0.1 → 12345678901234567890)
    param params.yaml:layers added ([64,{"units":10}])
    env MODE removed (was fast)"
  `);
});

test('changes as JSON', () => {
  expect(CHANGES.map((change) => jsonLine(changeJson(change))).join('')).toMatchInlineSnapshot(`
    "{"changed":"never-run"}
    {"changed":"always","why":"always_changed"}
    {"changed":"always","why":"nothing-declared"}
    {"changed":"forced","by":"force"}
    {"changed":"command","how":"modified","before":"python train.py --lr 1 --fast","after":"python train.py --lr 2 --fast"}
    {"changed":"command","how":"modified","before":"a  b","after":"a b"}
    {"changed":"worker","how":"modified","path":"src/train.ts"}
    {"changed":"wdir","how":"modified","before":"","after":"sub"}
    {"changed":"dep","path":"data","how":"modified","before":"blake3:abababababababababababababababababababababababababababababababab","after":"blake3:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"}
    {"changed":"out","path":"model","how":"not-in-cache"}
    {"changed":"data","path":"raw","how":"deleted"}
    {"changed":"param","path":"params.yaml:lr","how":"modified","before":0.1,"after":12345678901234567890}
    {"changed":"param","path":"params.yaml:layers","how":"added","after":[64,{"units":10}]}
    {"changed":"env","path":"MODE","how":"removed","before":"fast"}
    "
  `);
});

describe('a graph', () => {
  const graph = {
    nodes: ['prepare', 'train', 'test', 'evaluate', 'lint'],
    edges: [
      ['prepare', 'train'],
      ['prepare', 'test'],
      ['train', 'evaluate'],
      ['test', 'evaluate'],
    ] as const,
  };

  test('as a drawing', () => {
    expect(`\n${drawGraph(graph)}`).toMatchInlineSnapshot(`
      "
      ● prepare
      ├─╮
      │ ● train
      │ │
      ● │ test
      ├─╯
      ● evaluate
      ● lint
      "
    `);
    expect(drawGraph({ nodes: [], edges: [] })).toBe('');
  });

  test('as text, a rail that others cross being told from one that joins', () => {
    const edges: [string, string][] = [
      ['a', 'd'],
      ['b', 'z'],
      ['c', 'd'],
      ['c', 'z'],
    ];
    expect(`\n${drawGraph({ nodes: ['a', 'b', 'c', 'd', 'z'], edges })}`).toBe(
      `
● a
│ ● b
│ │ ● c
├─│─┤
● │ │ d
  ├─╯
  ● z
`,
    );
  });

  test('names that Mermaid would take for marks', () => {
    expect(mermaidText({ nodes: ['"a" #1; <b>&`'], edges: [] })).toBe(
      'flowchart TD\n  n1["#quot;a#quot; #35;1; #lt;b#gt;#amp;#96;"]\n',
    );
  });

  test('as Mermaid and as Graphviz', () => {
    expect(mermaidText(graph)).toMatchInlineSnapshot(`
      "flowchart TD
        n1["prepare"]
        n2["train"]
        n3["test"]
        n4["evaluate"]
        n5["lint"]
        n1 --> n2
        n1 --> n3
        n2 --> n4
        n3 --> n4
      "
    `);
    expect(dotText(graph)).toMatchInlineSnapshot(`
      "digraph {
        "prepare";
        "train";
        "test";
        "evaluate";
        "lint";
        "prepare" -> "train";
        "prepare" -> "test";
        "train" -> "evaluate";
        "test" -> "evaluate";
      }
      "
    `);
  });
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [19_383_932, '19 MB'],
  [999_999, '1.0 MB'],
])('%d bytes', (bytes, text) => {
  expect(bytesText(bytes)).toBe(text);
});

test.each([
  [0.04, '0.0 s'],
  [9.96, '10 s'],
  [59.6, '1 min 0 s'],
  [7500, '2 h 5 min'],
])('%d seconds', (seconds, text) => {
  expect(secondsText(seconds)).toBe(text);
});
