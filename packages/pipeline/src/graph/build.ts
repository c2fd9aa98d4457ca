import { byCodeUnit, overlaps, type Stage, type StageAddress } from '@dag/model';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { SourceReader } from '../pipeline.ts';
import type { FileContents } from '../project/file.ts';
import type { Draft } from '../stage/draft.ts';
import { expandDeps, groupDrafts, type Unbuilt } from './expand.ts';
import { findCycles, topologicalOrder } from './order.ts';
import { collectOwners, labelOf, type Owner, type Owners, ownersAt } from './owners.ts';

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
  unbuilt: Unbuilt,
): Graph {
  const owners = collectOwners(drafts, data, report);
  reportFilesInOuts(drafts, data, owners, report);
  const groups = groupDrafts(drafts);
  const around = { reader, owners, drafts, report, unbuilt };
  const stages = drafts.map((draft): Stage => {
    const deps = expandDeps(draft, around, groups);
    return deps === draft.stage.deps ? draft.stage : { ...draft.stage, deps };
  });
  const seen = new Int32Array(stages.length).fill(-1);
  const upstream = stages.map((stage, i) => connect(stage, i, drafts[i] as Draft, owners, seen, report));
  const downstream: number[][] = stages.map(() => []);
  upstream.forEach((list, i) => {
    for (const other of list) downstream[other]?.push(i);
  });
  const order = topologicalOrder(
    downstream,
    upstream.map((list) => list.length),
  );
  const complete = order.length === stages.length ? order : withCycles(order, stages, upstream, drafts, owners, report);
  return assemble(stages, upstream, downstream, complete);
}

/**
 * Indices of the stages whose outs a stage reads, each once. Its own outs are reported.
 * @param seen by stage, the last one for which it was found.
 */
function connect(
  stage: Stage,
  index: number,
  draft: Draft,
  owners: Owners,
  seen: Int32Array,
  report: Report,
): number[] {
  const found: number[] = [];
  const look = (path: Stage['deps'][number]['path']) => {
    const here = ownersAt(path, owners);
    // Where one of two owners lies inside the other, that is what is wrong, and told.
    const overlapping = (own: Owner) => here.some((owner) => owner.draft !== index && overlaps(own.path, owner.path));
    for (const owner of here) {
      if (owner.draft === undefined) continue;
      if (owner.draft === index) {
        if (!overlapping(owner)) reportOwn(path, owner.path, draft, report);
      } else if (seen[owner.draft] !== index) {
        seen[owner.draft] = index;
        found.push(owner.draft);
      }
    }
  };
  for (const dep of stage.deps) look(dep.path);
  for (const { file } of stage.params) look(file);
  return found;
}

function reportOwn(path: string, out: string, draft: Draft, report: Report): void {
  const dep = draft.deps.find((one) => one.kind !== 'stage' && one.dep.path === path);
  const who = `stage ${quote(draft.stage.address)}`;
  const message =
    path === out
      ? `${who} both reads and makes ${quote(path)}`
      : `${who} reads ${quote(path || '.')} and makes ${quote(out)}, which overlap`;
  const hint = "a stage can't need what it makes: take it from deps or outs";
  report.add(draft.source, dep?.at ?? draft.at, 'cycle', message, hint);
}

function reportFilesInOuts(drafts: readonly Draft[], data: FileContents['data'], owners: Owners, report: Report): void {
  const sources = new Map([...drafts, ...data].map(({ source }) => [source.file, source]));
  for (const [file, source] of sources) {
    for (const owner of ownersAt(file, owners)) {
      const message = `${quote(owner.path)} (${labelOf(owner)}) holds ${quote(file)}, a pipeline file`;
      report.add(owner.source, owner.at, 'overlap', message, `move ${quote(source.file)} out of it`);
      break;
    }
  }
}

/** The order with the stages of cycles at its end; each cycle is reported, with what its stages hand on. */
function withCycles(
  order: readonly number[],
  stages: readonly Stage[],
  upstream: readonly (readonly number[])[],
  drafts: readonly Draft[],
  owners: Owners,
  report: Report,
): number[] {
  const rest = new Set(drafts.keys());
  for (const index of order) rest.delete(index);
  for (const cycle of findCycles(upstream, rest)) {
    const first = drafts[cycle[0] ?? 0];
    if (first === undefined) continue;
    const around = [...cycle, cycle[0] ?? 0];
    const path = around.map((index) => drafts[index]?.stage.address).join(' → ');
    const message = `stages depend on each other in a circle: ${path}`;
    const steps = cycle.map((index, i) => handedOn(index, around[i + 1] ?? index, stages, owners));
    const told = cycle.length > LONG_CYCLE ? '' : `${steps.join(', ')}: `;
    report.add(first.source, first.at, 'cycle', message, `${told}take one of these deps out`);
  }
  return [...order, ...rest];
}

const LONG_CYCLE = 5;

/** What one stage makes that another reads, as `a makes x for b`. */
function handedOn(from: number, to: number, stages: readonly Stage[], owners: Owners): string {
  const maker = stages[from];
  const reader = stages[to];
  const read = [...(reader?.deps ?? []), ...(reader?.params.map(({ file }) => ({ path: file })) ?? [])];
  const made = read.flatMap(({ path }) => ownersAt(path, owners)).find((owner) => owner.draft === from);
  return `${maker?.address} makes ${made?.path} for ${reader?.address}`;
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
