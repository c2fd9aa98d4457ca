import { byCodeUnit, type Stage, type StageAddress } from '@dag/model';
import type { Report } from '../diagnostic/report.ts';
import type { SourceReader } from '../pipeline.ts';
import type { FileContents } from '../project/file.ts';
import type { Draft } from '../stage/draft.ts';
import { expandDeps, groupDrafts } from './expand.ts';
import { findCycle, topologicalOrder } from './order.ts';
import { collectOwners, type Owners, ownersAt } from './owners.ts';

/** The stages and what they need of each other. */
export interface Graph {
  readonly stages: ReadonlyMap<StageAddress, Stage>;
  readonly edges: readonly (readonly [StageAddress, StageAddress])[];
  readonly upstream: ReadonlyMap<StageAddress, readonly StageAddress[]>;
  readonly downstream: ReadonlyMap<StageAddress, readonly StageAddress[]>;
  readonly order: readonly StageAddress[];
}

/** Connects stages by the paths they make and read. Doubled or overlapping outs and cycles are reported. */
export function buildGraph(
  drafts: readonly Draft[],
  data: FileContents['data'],
  reader: SourceReader,
  report: Report,
): Graph {
  const owners = collectOwners(drafts, data, report);
  reportFilesInOuts(drafts, data, owners, report);
  const groups = groupDrafts(drafts);
  const around = { reader, owners, drafts, report };
  const stages = drafts.map((draft): Stage => {
    const deps = expandDeps(draft, around, groups);
    return deps === draft.stage.deps ? draft.stage : { ...draft.stage, deps };
  });
  const upstream = stages.map((stage, i) => connect(stage, i, drafts[i] as Draft, owners, report));
  const downstream: number[][] = stages.map(() => []);
  upstream.forEach((list, i) => {
    for (const other of list) downstream[other]?.push(i);
  });
  const order = topologicalOrder(
    downstream,
    upstream.map((list) => list.length),
  );
  const complete = order.length === stages.length ? order : withCycles(order, upstream, drafts, report);
  return assemble(stages, upstream, downstream, complete);
}

/** Indices of the stages whose outs a stage reads, each once. Its own outs are reported. */
function connect(stage: Stage, index: number, draft: Draft, owners: Owners, report: Report): number[] {
  const found = new Set<number>();
  const look = (path: Stage['deps'][number]['path']) => {
    for (const owner of ownersAt(path, owners)) {
      if (owner.draft === undefined) continue;
      if (owner.draft === index) reportOwn(path, owner.path, draft, report);
      else found.add(owner.draft);
    }
  };
  for (const dep of stage.deps) look(dep.path);
  for (const { file } of stage.params) look(file);
  return [...found];
}

function reportOwn(path: string, out: string, draft: Draft, report: Report): void {
  const dep = draft.deps.find((one) => one.kind !== 'stage' && one.dep.path === path);
  const message =
    path === out
      ? `stage ${draft.stage.address} both reads and makes ${path}`
      : `stage ${draft.stage.address} reads ${path} and makes ${out}, which overlap`;
  report.add(
    draft.source,
    dep?.at ?? draft.at,
    'cycle',
    message,
    'a stage can not need what it makes: take it from deps or outs',
  );
}

function reportFilesInOuts(drafts: readonly Draft[], data: FileContents['data'], owners: Owners, report: Report): void {
  const sources = new Map([...drafts, ...data].map(({ source }) => [source.file, source]));
  for (const [file, source] of sources) {
    for (const owner of ownersAt(file, owners)) {
      const message = `${owner.path} (${owner.label}) holds ${file}, a pipeline file`;
      report.add(owner.source, owner.at, 'overlap', message, `move ${source.file} out of it`);
      break;
    }
  }
}

function withCycles(
  order: readonly number[],
  upstream: readonly (readonly number[])[],
  drafts: readonly Draft[],
  report: Report,
): number[] {
  const rest = new Set(drafts.keys());
  for (const index of order) rest.delete(index);
  const cycle = findCycle(upstream, rest);
  const first = drafts[cycle[0] ?? 0];
  if (first) {
    const names = [...cycle, cycle[0] ?? 0].map((index) => drafts[index]?.stage.address);
    const message = `stages depend on each other in a circle: ${names.join(' → ')}`;
    report.add(first.source, first.at, 'cycle', message, 'one of them must not read what a later one makes');
  }
  return [...order, ...rest];
}

function assemble(
  stages: readonly Stage[],
  upstream: readonly (readonly number[])[],
  downstream: readonly (readonly number[])[],
  order: readonly number[],
): Graph {
  const address = (index: number) => (stages[index] as Stage).address;
  const sorted = [...stages.keys()].sort((a, b) => byCodeUnit(address(a), address(b)));
  const rank: number[] = [];
  sorted.forEach((index, i) => {
    rank[index] = i;
  });
  const byRank = (a: number, b: number) => (rank[a] as number) - (rank[b] as number);
  const byAddress = new Map<StageAddress, Stage>();
  const up = new Map<StageAddress, StageAddress[]>();
  const down = new Map<StageAddress, StageAddress[]>();
  const edges: [StageAddress, StageAddress][] = [];
  for (const index of sorted) {
    byAddress.set(address(index), stages[index] as Stage);
    up.set(address(index), [...(upstream[index] ?? [])].sort(byRank).map(address));
    const after = [...(downstream[index] ?? [])].sort(byRank).map(address);
    down.set(address(index), after);
    for (const other of after) edges.push([address(index), other]);
  }
  return { stages: byAddress, edges, upstream: up, downstream: down, order: order.map(address) };
}
