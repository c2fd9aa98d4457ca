import type { AnyPath } from '@dag/model';
import type { MapNode, Node } from '@dag/pipeline';
import type { Snapshot } from './snapshot.ts';
import { readFiles, type ValueFile, type ValueFiles } from './values.ts';

/**
 * The metrics of a project at a snapshot: of the files that its stages and its pipeline.yaml files name, or of the targets,
 * whatever names those.
 */
export function metricsOf(snapshot: Snapshot, targets: readonly AnyPath[]): ValueFiles {
  const { pipeline, problem } = snapshot;
  if (targets.length === 0 && problem !== undefined) return { error: { type: 'invalid', msg: problem } };
  const outs = [...(pipeline?.stages.values() ?? [])].flatMap(({ outs }) =>
    outs.filter(({ kind }) => kind === 'metric'),
  );
  const named = [...outs, ...(pipeline?.metrics ?? [])].map(({ path }) => path);
  const read = readFiles(snapshot, targets.length === 0 ? named : targets);
  return { files: new Map(Array.from(read, ([path, file]) => [path, onlyMetrics(file)])) };
}

function onlyMetrics(file: ValueFile): ValueFile {
  if (!('root' in file) || file.root === undefined) return file;
  const root = metricIn(file.root);
  // What stands for no value does so at the top, too.
  return { root: root?.kind === 'scalar' && !root.value && !Number.isNaN(root.value) ? undefined : root };
}

/** Numbers, texts and booleans, in maps; nulls, lists and maps without any of those are no metrics. */
function metricIn(node: Node): Node | undefined {
  if (node.kind === 'seq' || (node.kind === 'scalar' && node.value === null)) return undefined;
  if (node.kind === 'scalar') return node;
  const entries = node.entries.flatMap(({ key, value }) => {
    const metric = metricIn(value);
    return metric === undefined ? [] : [{ key, value: metric }];
  });
  return entries.length === 0 ? undefined : ({ ...node, entries } satisfies MapNode);
}
