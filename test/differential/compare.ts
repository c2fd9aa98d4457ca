import { canonicalJson, type Stage, type StageAddress, type Value } from '@dag/model';
import { type Pipeline, readParams, type SourceReader } from '@dag/pipeline';
import type { Sound, TheirStage } from './dvc.ts';

/** Stages, edges and top-level entries as lines of text: equal when the graphs are. */
export interface Graph {
  readonly stages: readonly string[];
  readonly edges: readonly string[];
  readonly shown: readonly string[];
}

export function ourGraph(pipeline: Pipeline, reader: SourceReader): Graph {
  return {
    stages: [...pipeline.stages].map(([address, stage]) => ourStage(address, stage, pipeline, reader)).sort(),
    edges: pipeline.edges.map(([before, after]) => `${before} → ${after}`).sort(),
    shown: [
      ...pipeline.params.map(({ file, path }) => line(['params', file, path])),
      ...pipeline.metrics.map(({ file, path }) => line(['metrics', file, path])),
      ...pipeline.plots.map(({ file, id, definition }) => line(['plots', file, [id, definition]])),
      ...pipeline.artifacts.map(({ file, name, labels, ...artifact }) =>
        line(['artifacts', file, [name, labels.length === 0 ? artifact : { ...artifact, labels }]]),
      ),
    ].sort(),
  };
}

export function theirGraph({ stages, edges, shown }: Sound): Graph {
  return {
    stages: stages.map(theirStage).sort(),
    edges: edges.map(([before, after]) => `${ourAddress(before)} → ${ourAddress(after)}`).sort(),
    shown: shown.map(([kind, file, what]) => line([kind, ourFile(file), what])).sort(),
  };
}

function ourAddress(theirs: string): string {
  return theirs.replace(/(^|\/)dvc\.yaml:/, '$1pipeline.yaml:');
}

function ourFile(theirs: string): string {
  return theirs.replace(/dvc\.yaml$/, 'pipeline.yaml');
}

function ourStage(address: StageAddress, stage: Stage, pipeline: Pipeline, reader: SourceReader): string {
  const { values } = readParams(reader, stage.params);
  return line({
    stage: address,
    wdir: stage.wdir === '' ? '.' : stage.wdir,
    cmd: stage.action.kind === 'command' ? stage.action.cmd : null,
    deps: [...new Set(stage.deps.map((dep) => dep.path || '.'))].sort(),
    params: Object.fromEntries(
      stage.params.map(({ file, keys }) => [
        file,
        { keys: keys === 'all' ? [] : [...keys].sort(), values: Object.fromEntries(values.get(file) ?? []) },
      ]),
    ),
    outs: stage.outs
      .map(({ path, kind, cache, persist, push, remote, desc }) =>
        line({ path, kind, cache, persist, push, remote: remote ?? null, desc: desc ?? null }),
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

function theirStage(stage: TheirStage): string {
  return line({
    ...stage,
    stage: ourAddress(stage.stage),
    // A template that draws null is a stage without a command in DVC, and the word None here, as inside a longer text.
    cmd: stage.cmd ?? 'None',
    deps: [...new Set(stage.deps)].sort(),
    params: Object.fromEntries(
      Object.entries(stage.params).map(([file, { keys, values }]) => [
        file,
        { keys: [...new Set(keys)].sort(), values: values ?? {} },
      ]),
    ),
    outs: stage.outs.map((out) => line(out)).sort(),
    used: Object.fromEntries(Object.entries(stage.used).filter(([, used]) => Object.keys(used).length > 0)),
  });
}

/** A value as one line, what JSON lacks named as in ask.py. */
function line(value: unknown): string {
  return canonicalJson(named(value) as Value);
}

function named(value: unknown): unknown {
  if (typeof value === 'bigint') return { integer: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { float: Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf' };
  }
  if (Array.isArray(value)) return value.map(named);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, named(item)]));
}
