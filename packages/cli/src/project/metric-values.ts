import type { PastRun } from '@dag/engine';
import { type AnyPath, FailureError, isExternal, type Value } from '@dag/model';
import { paramFiles } from '@dag/pipeline';
import type { OpenProject } from './open.ts';

/** Larger files (bytes) are not looked into. */
const LARGEST = 64 * 1024;

/** The numbers in the metrics that a run made, by file and dotted key; nothing where the cache lacks a file. */
export function metricValues(project: OpenProject, run: PastRun): ReadonlyMap<string, ReadonlyMap<string, Value>> {
  const metrics = new Map<string, ReadonlyMap<string, Value>>();
  for (const { path, kind } of project.pipeline.stages.get(run.stage)?.outs ?? []) {
    const artifact = isExternal(path) ? undefined : run.outs.get(path);
    if (kind !== 'metric' || artifact?.kind !== 'file' || artifact.size > LARGEST) continue;
    const bytes = readObject(project, artifact.digest);
    if (bytes === undefined) continue;
    const reader = { ...project.reader, read: (asked: AnyPath) => (asked === path ? bytes : undefined) };
    const { values } = paramFiles(reader).read([{ file: path, keys: 'all' }]);
    const numbers = new Map([...(values.get(path) ?? [])].flatMap(([key, value]) => [...numbersIn(key, value)]));
    if (numbers.size > 0) metrics.set(path, numbers);
  }
  return metrics;
}

function* numbersIn(key: string, value: Value): Generator<readonly [string, Value]> {
  if (typeof value === 'number' || typeof value === 'bigint') yield [key, value];
  else if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [inner, one] of Object.entries(value)) yield* numbersIn(`${key}.${inner}`, one as Value);
  }
}

function readObject({ store }: OpenProject, digest: Parameters<typeof store.read>[0]): Uint8Array | undefined {
  try {
    return store.has(digest) ? store.read(digest, LARGEST) : undefined;
  } catch (error) {
    if (error instanceof FailureError) return undefined;
    throw error;
  }
}
