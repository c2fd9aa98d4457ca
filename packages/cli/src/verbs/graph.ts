import { FailureError, type Stage, type StageAddress } from '@dag/model';
import { type Pipeline, selectStages } from '@dag/pipeline';
import { EXIT } from '../failure.ts';
import { type LoadedProject, loadProject } from '../project/load.ts';
import { dotText, drawGraph, mermaidText, type ShownGraph } from '../render/graph.ts';
import type { Context } from '../verb.ts';

interface Options {
  readonly mermaid?: boolean;
  readonly dot?: boolean;
  readonly outs?: boolean;
  readonly full?: boolean;
}

export async function graph(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const project = loadProject(context, targets);
  const shown = shownStages(project, targets, options);
  if (context.json) {
    context.emit(graphJson(project.pipeline, shown));
    return EXIT.done;
  }
  const nodes = options.outs === true ? outGraph(project.pipeline, shown) : stageGraph(project.pipeline, shown);
  const text = options.mermaid === true ? mermaidText(nodes) : options.dot === true ? dotText(nodes) : drawGraph(nodes);
  if (text !== '') context.print(text.trimEnd());
  return EXIT.done;
}

function shownStages(project: LoadedProject, targets: readonly string[], options: Options): ReadonlySet<StageAddress> {
  if (targets.length === 0) return new Set(project.pipeline.stages.keys());
  const how = options.full === true ? { pipeline: true } : {};
  const selected = selectStages(project.pipeline, targets, how, project.cwd);
  if (!selected.ok) throw new FailureError(selected.error);
  return new Set(selected.value);
}

/** The document of the contract. */
function graphJson(pipeline: Pipeline, shown: ReadonlySet<StageAddress>): unknown {
  const stages = [...pipeline.stages.values()].filter((stage) => shown.has(stage.address));
  return {
    stages: stages.map(stageJson),
    data: pipeline.data.map(({ path }) => ({ path })),
    edges: pipeline.edges.filter(([from, to]) => shown.has(from) && shown.has(to)),
  };
}

function stageJson(stage: Stage): unknown {
  const { address, name, file, action, wdir, deps, outs, params, frozen, alwaysChanged, desc, meta } = stage;
  return {
    address,
    name,
    file,
    ...(action.kind === 'command'
      ? { cmd: action.cmd }
      : { cmd: null, worker: action.module, backend: action.backend }),
    wdir: wdir === '' ? '.' : wdir,
    deps: deps.map((dep) => dep.path).sort(),
    outs: outs
      .map(({ path, cache, persist, kind, push, remote }) => ({ path, cache, persist, kind, push, remote }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
    params: Object.fromEntries(params.map(({ file: from, keys }) => [from, keys === 'all' ? [] : [...keys]])),
    frozen,
    always_changed: alwaysChanged,
    desc,
    meta,
  };
}

function stageGraph(pipeline: Pipeline, shown: ReadonlySet<StageAddress>): ShownGraph {
  return {
    nodes: pipeline.order.filter((address) => shown.has(address)),
    edges: pipeline.edges.filter(([from, to]) => shown.has(from) && shown.has(to)),
  };
}

/** Paths instead of stages: each out hangs on the outs and data that its stage reads. */
function outGraph(pipeline: Pipeline, shown: ReadonlySet<StageAddress>): ShownGraph {
  const nodes = new Set<string>();
  const edges: [string, string][] = [];
  for (const address of pipeline.order) {
    const stage = pipeline.stages.get(address);
    if (stage === undefined || !shown.has(address)) continue;
    for (const dep of stage.deps) nodes.add(dep.path);
    for (const out of stage.outs) {
      nodes.add(out.path);
      for (const dep of stage.deps) edges.push([dep.path, out.path]);
    }
  }
  return { nodes: [...nodes], edges };
}
