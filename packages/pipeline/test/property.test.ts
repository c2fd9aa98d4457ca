import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '../../../test/fuzz.ts';
import { renderDiagnostic } from '../src/index.ts';
import { load, sound } from './rig/memory.ts';

const PARAMS = 'lr: 0.1\nmodels: {a: {n: 1}, b: {n: 2}}\nlist: [x, y]\n';

const TEXT = `# a pipeline
remote: store
remotes: {store: {url: s3://bucket/prefix, region: eu}}
vars: [{v: 1, deep: {w: [1, 2]}}]
data:
  - raw
  - {path: big.bin, desc: text}
stages:
  prepare:
    cmd: python prepare.py \${v} \${deep.w[0]}
    deps: [raw, prepare.py]
    outs:
      - made: {persist: true}
  train:
    foreach: \${models}
    do:
      cmd: >-
        python train.py
        \${key} \${item.n}
      params: [lr, {other.json: [a.b]}]
      deps: [made/x]
      outs: ["model-\${key}"]
  each:
    matrix: {x: \${list}, y: [1, 2]}
    exclude: [{x: x, y: 1}]
    cmd: echo \${item.x} "\${item.y}"
    resources: {memory: 8GB}
    timeout: 2h
  join:
    worker: src/join.ts
    deps: [{stage: train}, "model-*"]
    metrics: [{m.json: {cache: false}}]
`;

describe('any text', () => {
  it('loads or is refused at places inside its files, and never throws', () => {
    const scrap = fc.constantFrom(
      '',
      ' ',
      '\n',
      ':',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '${',
      '}',
      "'",
      '"',
      '\t',
      '&a ',
      '*a',
      '|',
      '#',
      'é',
      '<<: ',
      '../',
      '@',
      '0',
    );
    const change = fc.record({ at: fc.nat(TEXT.length), cut: fc.nat(30), put: fc.array(scrap, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
        let text = TEXT;
        for (const { at, cut, put } of changes) text = text.slice(0, at) + put.join('') + text.slice(at + cut);
        const files: Record<string, string> = { 'pipeline.yaml': text, 'params.yaml': PARAMS };
        const { pipeline, diagnostics } = load(files);
        expect(pipeline === undefined).toBe(diagnostics.length > 0);
        for (const diagnostic of diagnostics) {
          const lines = (files[diagnostic.file] ?? '').split('\n');
          const line = lines[(diagnostic.span?.line ?? 0) - 1];
          expect(line, renderDiagnostic(diagnostic)).toBeDefined();
          expect(diagnostic.span?.column).toBeLessThanOrEqual([...(line ?? '')].length + 1);
        }
      }),
      { numRuns: runs(400) },
    );
  });
});

describe('order', () => {
  it('of stages, keys and paths makes no other graph', () => {
    const stages = [
      ['a', '{cmd: a, outs: [x, y]}', '{outs: [y, x], cmd: a}'],
      ['b', '{cmd: b, deps: [x], outs: [z]}', '{outs: [z], deps: [x], cmd: b}'],
      ['c', '{cmd: c, deps: [z, y]}', '{deps: [y, z], cmd: c}'],
      ['d', '{cmd: d, deps: [z]}', '{deps: [z], cmd: d}'],
    ] as const;
    const write = (list: readonly (readonly [string, string])[]) =>
      `stages:\n${list.map(([name, text]) => `  ${name}: ${text}\n`).join('')}`;
    const graph = (text: string) => {
      const pipeline = sound({ 'pipeline.yaml': text });
      const outs = [...pipeline.stages].map(([address, stage]) => [address, stage.outs.map((out) => out.path).sort()]);
      return { edges: pipeline.edges, outs };
    };
    const first = graph(write(stages.map(([name, text]) => [name, text])));
    const order = fc.shuffledSubarray([...stages.keys()], { minLength: 4 });
    fc.assert(
      fc.property(order, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (indices, flips) => {
        const list = indices.map((i): readonly [string, string] => {
          const [name, text, flipped] = stages[i] ?? stages[0];
          return [name, flips[i] ? flipped : text];
        });
        expect(graph(write(list))).toEqual(first);
      }),
    );
  });
});
