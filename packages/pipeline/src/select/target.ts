import {
  type AnyPath,
  isWithin,
  type ProjectPath,
  resolveAnyPath,
  resolvePath,
  type StageAddress,
  stageAddress,
  type TrackedData,
} from '@dag/model';
import type { Pipeline } from '../pipeline.ts';
import { namePattern } from './name-pattern.ts';

/** What a target on the command line names. */
export interface TargetFound {
  /** Stages, in order of declaration for a group or file. */
  readonly stages: readonly StageAddress[];
  /** Tracked data, where the target is such a path. */
  readonly data?: TrackedData;
  /** The path that was meant, where the target is a path: an out, or something inside one. */
  readonly path?: AnyPath;
}

/**
 * Finds what a target means, first that fits: `dir/pipeline.yaml:name`, `:name` and `name` (a stage, a group, or with
 * `glob` a pattern of names in the pipeline.yaml of `cwd`), `dir/pipeline.yaml`, a path that a stage makes or that is tracked.
 * `./name` is always a path. Undefined when it names nothing.
 */
export function resolveTarget(
  pipeline: Pipeline,
  target: string,
  cwd: ProjectPath,
  options: { readonly glob: boolean },
): TargetFound | undefined {
  const own = resolvePath(cwd, 'pipeline.yaml');
  for (const [written, name] of addressParts(target)) {
    const file = written === '' ? own : resolvePath(cwd, written);
    const stages = file === undefined ? [] : namedIn(pipeline, file, name, options.glob);
    if (stages.length > 0) return { stages };
  }
  if (own !== undefined && !target.startsWith('./')) {
    const stages = namedIn(pipeline, own, target, options.glob);
    if (stages.length > 0) return { stages };
  }
  const path = resolveAnyPath(cwd, target);
  if (path === undefined) return undefined;
  if (pipeline.files.includes(path as ProjectPath)) {
    return { stages: pipeline.order.filter((address) => pipeline.stages.get(address)?.file === path) };
  }
  return atPath(pipeline, path);
}

/** All that `file:name` can mean, the empty file for `:name`: names hold colons too, as `build@k:v` does. */
export function addressParts(text: string): [file: string, name: string][] {
  const parts: [string, string][] = [];
  for (const { index } of text.matchAll(/(?<=^|(?:^|\/)pipeline\.yaml):/g)) {
    parts.push([text.slice(0, index), text.slice(index + 1)]);
  }
  return parts;
}

function namedIn(pipeline: Pipeline, file: ProjectPath, name: string, glob: boolean): StageAddress[] {
  const address = stageAddress(file, name);
  if (pipeline.stages.has(address)) return [address];
  const group = pipeline.groups.get(address);
  if (group !== undefined) return [...group];
  if (!glob) return [];
  const test = namePattern(name);
  return pipeline.order.filter((one) => {
    const stage = pipeline.stages.get(one);
    return stage !== undefined && stage.file === file && test.test(stage.name);
  });
}

/** The owner of a path: of itself, or of a folder around it. */
function atPath(pipeline: Pipeline, path: AnyPath): TargetFound | undefined {
  for (const data of pipeline.data) if (isWithin(data.path, path)) return { stages: [], data, path };
  for (const [address, stage] of pipeline.stages) {
    for (const out of stage.outs) if (isWithin(out.path, path)) return { stages: [address], path };
  }
  return undefined;
}
