import {
  err,
  type Failure,
  joinPath,
  ok,
  type ProjectPath,
  parentPath,
  type Result,
  relativePath,
  type StageAddress,
} from '@dag/model';
import { nearest } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Pipeline } from '../pipeline.ts';
import { resolveTarget } from './target.ts';

export interface SelectOptions {
  /** Exactly the targets, in the order given, nothing upstream. */
  readonly single?: boolean;
  /** The targets and all that depends on them, instead of what they depend on. */
  readonly downstream?: boolean;
  /** The whole connected pipelines that hold the targets. */
  readonly pipeline?: boolean;
  /** Every stage of every pipeline.yaml. */
  readonly allPipelines?: boolean;
  /** Names in targets are patterns (`*`, `?`, `[…]`). */
  readonly glob?: boolean;
}

/**
 * The stages that a verb is to work on, in topological order; with `single` as given. Without targets: those of the
 * nearest pipeline.yaml at or above `cwd` and what they need. A frozen stage stands apart
 * from what it depends on: neither pulls in the other.
 */
export function selectStages(
  pipeline: Pipeline,
  targets: readonly string[],
  options: SelectOptions,
  cwd: ProjectPath,
): Result<StageAddress[], Failure> {
  if (options.allPipelines) return ok([...pipeline.order]);
  const named: StageAddress[] = [];
  for (const target of targets) {
    const found = resolveTarget(pipeline, target, cwd, { glob: options.glob === true });
    if (found === undefined) return err(unknownTarget(pipeline, target, cwd));
    named.push(...found.stages);
  }
  if (targets.length === 0) named.push(...defaultStages(pipeline, cwd));
  if (options.single) return ok([...new Set(named)]);
  const frozen = (address: StageAddress) => pipeline.stages.get(address)?.frozen === true;
  const above = (address: StageAddress) => (frozen(address) ? [] : pipeline.upstream(address));
  const below = (address: StageAddress) => pipeline.downstream(address).filter((one) => !frozen(one));
  const wanted = options.pipeline
    ? reach(named, (address) => [...above(address), ...below(address)])
    : reach(named, options.downstream ? below : above);
  return ok(pipeline.order.filter((address) => wanted.has(address)));
}

function defaultStages(pipeline: Pipeline, cwd: ProjectPath): readonly StageAddress[] {
  for (let folder = cwd; ; folder = parentPath(folder)) {
    const file = joinPath(folder, 'pipeline.yaml');
    const own = pipeline.order.filter((address) => pipeline.stages.get(address)?.file === file);
    if (own.length > 0 || pipeline.files.includes(file) || folder === '') return own;
  }
}

function reach(
  from: readonly StageAddress[],
  next: (address: StageAddress) => readonly StageAddress[],
): Set<StageAddress> {
  const seen = new Set(from);
  const stack = [...seen];
  for (let address = stack.pop(); address !== undefined; address = stack.pop()) {
    for (const other of next(address)) {
      if (seen.has(other)) continue;
      seen.add(other);
      stack.push(other);
    }
  }
  return seen;
}

function unknownTarget(pipeline: Pipeline, target: string, cwd: ProjectPath): Failure {
  const own = joinPath(cwd, 'pipeline.yaml');
  const named = new Map<string, string>();
  const know = (word: string, written: string): void => {
    if (!named.has(word)) named.set(word, written);
  };
  const knowStage = (file: ProjectPath, name: string): void => {
    const from = `${relativePath(cwd, file)}:${name}`;
    if (file === own) know(name, name);
    else know(from, from);
    know(name, from);
  };
  for (const stage of pipeline.stages.values()) {
    knowStage(stage.file, stage.name);
    const [group = ''] = stage.name.split('@', 1);
    if (group !== stage.name) knowStage(stage.file, group);
    for (const out of stage.outs) know(relativePath(cwd, out.path), relativePath(cwd, out.path));
  }
  for (const { path } of pipeline.data) know(relativePath(cwd, path), relativePath(cwd, path));
  const near = nearest(target.replace(/^:/, ''), named.keys());
  const hint =
    near === undefined ? "'dag stage list' names the stages" : `did you mean ${quote(named.get(near) as string)}?`;
  return { code: 'usage', message: `${quote(target)} is no stage, out, tracked path or pipeline.yaml`, hint };
}
