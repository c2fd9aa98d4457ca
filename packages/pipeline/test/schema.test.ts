import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Diagnostic } from '@dag/model';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { readCases, topics } from '../../../test/differential/cases.ts';
import { toValue } from '../src/data/value.ts';
import { pipelineJsonSchema } from '../src/index.ts';
import { parseYaml } from '../src/yaml/parse.ts';
import { corpusCases, corpusFolder } from './rig/corpus.ts';
import { load, words } from './rig/memory.ts';

const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false });
const validate = ajv.compile(pipelineJsonSchema());

function bySchema(text: string): boolean {
  const { root, problems } = parseYaml(text);
  if (root === undefined || problems.length > 0) throw new Error(`no YAML: ${text}`);
  return validate(toValue(root));
}

/** What is wrong with the shape of a file, as the parser sees it: keys and types, not what stands behind them. */
function byParser(text: string): Diagnostic[] {
  const { diagnostics } = load({ 'pipeline.yaml': text, 'params.yaml': 'x: 1\nflag: true\nlist: [1]\nm: {a: 1}\n' });
  return diagnostics.filter(({ code }) => code === 'unknown-key' || code === 'wrong-type' || code === 'bad-value');
}

const SOUND = [
  'stages: {}',
  'jobs: auto',
  'jobs: 4',
  'root: true',
  'remote: a\nremotes: {a: s3://bucket, b: {url: ../there, jobs: 3, path_style: true}}',
  'cache: {dir: x, link: [reflink, copy], keep_runs: 3}',
  'cache: {link: copy}',
  'parsing: {bool: boolean_optional, list: append}',
  'data: [raw, {path: big, desc: text, push: false}]',
  'params: [more.yaml]\nmetrics: [m.json]\nplots: [p.csv, {q.csv: {x: a, y: [b, c]}}, {r: {y: {q.csv: d}}}, {s: }]',
  'artifacts: {model: {path: m, type: t, labels: [a], meta: {b: 1}}}',
  'vars: [more.yaml, {v: 1}]\nstages: {}',
  'stages: {a: {cmd: a}}',
  'stages: {a: {cmd: [a, b], deps: [x, {stage: b}], outs: [o, {p: {cache: false, persist: true}}]}, b: {cmd: b}}',
  'stages: {a: {cmd: a, metrics: [{m: {cache: false}}], plots: [{p: {x: a, header: false}}, {q: [{x: a}, {x: b}]}]}}',
  'stages: {a: {cmd: a, params: [x, {p.yaml: [a, b]}, {q.yaml: }, {r.yaml: []}], env: [A, B=1], strict_env: true, salt: v2}}',
  'salt: 3\nstages: {a: {cmd: a, salt: 2}}',
  'stages: {a: {cmd: a, frozen: "${flag}", retries: "${x}", timeout: 2h, resources: {gpu: 1, gpu_memory: 8GB, cpu: 0.5, memory: 8GB}}}',
  'stages: {a: {worker: src/a.ts, backend: wasm, mutex: [db], wdir: sub, desc: d, meta: [1], always_changed: true}}',
  'stages: {a: {cmd: a, checkpoints: {keep: 3, grace: 30s, push: true}}, b: {cmd: b, checkpoints: {grace: 5}}}',
  'stages: {a: {foreach: [1, 2], do: {cmd: "a ${item}"}}, b: {foreach: "${list}", do: {cmd: b}}}',
  'stages: {a: {foreach: {p: {q: 1}}, do: {cmd: "a ${key}", outs: ["${key}"]}}}',
  'stages: {a: {matrix: {p: [1, 2], q: "${list}"}, exclude: [{p: 1}], include: [{p: 3, q: 4}], cmd: "a ${item.p}"}}',
];

const REFUSED = [
  'stagez: {}',
  'stages: []',
  'stages: {a: {cmd: 1}}',
  'stages: {a: {}}',
  'stages: {a: {cmd: a, dep: [x]}}',
  'stages: {a: {cmd: a, deps: x}}',
  'stages: {a: {cmd: a, deps: [1]}}',
  'stages: {a: {cmd: a, outs: [{o: {cached: false}}]}}',
  'stages: {a: {cmd: a, outs: [{o: {cache: 1}}]}}',
  'stages: {a: {cmd: a, frozen: 1}}',
  'stages: {a: {cmd: a, desc: 1}}',
  'stages: {a: {cmd: a, retries: -1}}',
  'stages: {a: {cmd: a, checkpoints: {keep: 0}}}',
  'stages: {a: {cmd: a, checkpoints: {kept: 1}}}',
  'stages: {a: {cmd: a, resources: {gpus: 1}}}',
  'stages: {a: {cmd: a, deps: [{stag: b}]}}',
  'stages: {a: {foreach: [1], cmd: a}}',
  'stages: {a: {foreach: 1, do: {cmd: a}}}',
  'stages: {a: {do: {cmd: a}}}',
  'stages: {a: {matrix: {p: {q: 1}}, cmd: a}}',
  'stages: {a: {matrix: [1], cmd: a}}',
  'jobs: many',
  'jobs: 0',
  'cache: {link: magic}',
  'remotes: {a: {region: eu}}',
  'remotes: {a: 1}',
  'data: [{desc: x}]',
  'data: x',
  'artifacts: {a: {type: t}}',
  'parsing: {bool: yes}',
  'root: 1',
];

describe('the JSON Schema', () => {
  it.each(SOUND)('takes what the parser takes: %s', (text) => {
    expect(words(byParser(text))).toBe('');
    expect([bySchema(text), validate.errors]).toEqual([true, null]);
  });

  it.each(REFUSED)('refuses what the parser refuses: %s', (text) => {
    expect(byParser(text)).not.toEqual([]);
    expect(bySchema(text)).toBe(false);
  });

  it('takes and refuses the cases made by hand as the parser does', () => {
    const wrong: string[] = [];
    for (const { name, files } of topics().flatMap(readCases)) {
      const text = files['pipeline.yaml'] ?? '';
      const { root, problems } = parseYaml(text);
      if (root?.kind !== 'map' || problems.length > 0) continue;
      const told = load(files).diagnostics.filter(({ file }) => file === 'pipeline.yaml');
      // In JSON keys are text, and what a template draws only the parser knows.
      const shape = told.some(
        ({ code, message }) =>
          code === 'unknown-key' ||
          (code === 'wrong-type' && !/ must be a string(?:$|, not)| or a map, not the number/.test(message)),
      );
      const fits = validate(toValue(root));
      if (fits ? shape : told.length === 0) wrong.push(`${name}: ${JSON.stringify(validate.errors?.[0])}`);
    }
    expect(wrong).toEqual([]);
  });

  const folder = corpusFolder();
  it.skipIf(folder === undefined)(
    'takes the public projects that the parser takes (DAG_CORPUS or ../shared/corpus)',
    () => {
      const wrong: string[] = [];
      for (const name of corpusCases(folder ?? '.')) {
        const file = join(folder ?? '', name, 'repo/dvc.yaml');
        if (!existsSync(file)) continue;
        const text = readFileSync(file, 'utf8');
        const { root, problems } = parseYaml(text);
        if (root === undefined || problems.length > 0) continue;
        const fits = byParser(text).every(({ code }) => code === 'bad-value');
        if (fits !== validate(toValue(root))) wrong.push(`${name}: ${JSON.stringify(validate.errors?.[0])}`);
      }
      expect(wrong).toEqual([]);
    },
  );
});
