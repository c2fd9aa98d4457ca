import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson, resolveAnyPath, type Stage, type StageAddress, type Value } from '@dag/model';
import { describe, expect, it } from 'vitest';
import { readJson } from '../src/data/json.ts';
import { toValue } from '../src/data/value.ts';
import { loadPipeline, type Pipeline, readParams, renderDiagnostic } from '../src/index.ts';
import { corpusCases, corpusFolder, corpusReader } from './rig/corpus.ts';

const folder = corpusFolder();

/** Refused for what this tool does not read: DVC's own lock and pointer files. */
const OTHER_FILES = new Set(['146', '173', '197', '222', '231']);

/** Deps with wildcards: a path to DVC, and here a pattern that outs match, so that there are more edges. */
const PATTERNS = new Set(['215']);

type Json = { readonly [key: string]: Value };

describe.skipIf(folder === undefined)(
  'public DVC projects (skipped where DAG_CORPUS or ../shared/corpus is not there)',
  () => {
    for (const name of corpusCases(folder ?? '.')) {
      it(name, () => {
        const at = join(folder ?? '', name);
        const expected = toValue(readJson(readFileSync(join(at, 'expected.json'), 'utf8'))) as Json;
        const reader = corpusReader(join(at, 'repo'));
        const { pipeline, diagnostics } = loadPipeline(reader);
        const words = diagnostics.map(renderDiagnostic).join('\n');
        const refused = expected['ok'] === false && !OTHER_FILES.has(name);
        expect(pipeline === undefined, words).toBe(refused);
        if (!pipeline || OTHER_FILES.has(name)) return;
        const theirs = (expected['stages'] as Json[]).filter((stage) => !String(stage['file']).endsWith('.dvc'));
        expect(ours(pipeline, reader)).toEqual(theirs.map(normal).sort());
        const edges = (expected['edges'] as string[][]).filter((edge) => !edge.some((end) => end.endsWith('.dvc')));
        if (PATTERNS.has(name)) return;
        expect(pipeline.edges.map(([up, down]) => `${up} → ${down}`).sort()).toEqual(
          edges.map(([down, up]) => `${rename(up)} → ${rename(down)}`).sort(),
        );
      });
    }
  },
);

function rename(text: unknown): string {
  return String(text).replace(/dvc\.yaml/g, 'pipeline.yaml');
}

/** A path beside the project, which DVC was asked about in a folder of `<TMP>`, from the root. */
function outside(path: string): string {
  return path.replace(/^<TMP>\//, '../');
}

/** A stage as text, from DVC's answer. */
function normal(stage: Json): string {
  const list = (key: string) => (stage[key] as Json[] | undefined) ?? [];
  const params = (stage['params'] ?? {}) as { [file: string]: Json };
  return canonicalJson({
    stage: rename(stage['stage']),
    wdir: stage['wdir'] === '.' ? '' : (stage['wdir'] ?? null),
    cmd: stage['cmd'] ?? null,
    deps: [...new Set(list('deps').map((dep) => outside(String(dep['path']))))].sort(),
    outs: list('outs')
      .map((out) =>
        canonicalJson({
          path: out['path'] ?? null,
          cache: out['cache'] ?? null,
          persist: out['persist'] ?? null,
          push: out['push'] ?? true,
          remote: out['remote'] ?? null,
          kind: out['metric'] ? 'metric' : out['plot'] ? 'plot' : 'out',
        }),
      )
      .sort(),
    params: Object.entries(params)
      .map(([file, { keys, values }]) =>
        canonicalJson([file, [...new Set(keys as string[])].sort(), (values ?? {}) as Value]),
      )
      .sort(),
    used: Object.fromEntries(
      Object.entries((stage['used_vars'] ?? {}) as Json).filter(([, values]) => canonicalJson(values) !== '{}'),
    ),
    frozen: stage['frozen'] ?? false,
    always: stage['always_changed'] ?? false,
    desc: stage['desc'] ?? null,
    meta: stage['meta'] ?? null,
  });
}

function ours(pipeline: Pipeline, reader: ReturnType<typeof corpusReader>): string[] {
  return [...pipeline.stages].map(([address, stage]) => our(address, stage, pipeline, reader)).sort();
}

function our(address: StageAddress, stage: Stage, pipeline: Pipeline, reader: ReturnType<typeof corpusReader>): string {
  const { values } = readParams(reader, stage.params);
  return canonicalJson({
    stage: address,
    wdir: stage.wdir,
    cmd: stage.action.kind === 'command' ? stage.action.cmd : null,
    deps: [
      ...new Set(
        stage.deps.map((dep) =>
          dep.pattern === undefined ? dep.path : (resolveAnyPath(stage.wdir, dep.pattern) ?? ''),
        ),
      ),
    ].sort(),
    outs: stage.outs
      .map(({ path, cache, persist, push, remote, kind }) =>
        canonicalJson({ path, cache, persist, push, remote: remote ?? null, kind }),
      )
      .sort(),
    params: stage.params
      .map(({ file, keys }) =>
        canonicalJson([file, keys === 'all' ? [] : [...keys].sort(), Object.fromEntries(values.get(file) ?? [])]),
      )
      .sort(),
    used: Object.fromEntries(
      [...(pipeline.used.get(address) ?? [])].map(([file, used]) => [file, Object.fromEntries(used)]),
    ),
    frozen: stage.frozen,
    always: stage.alwaysChanged,
    desc: stage.desc ?? null,
    meta: stage.meta ?? null,
  });
}
