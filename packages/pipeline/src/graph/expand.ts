import {
  type AnyPath,
  baseName,
  type Dep,
  folderOf,
  parentPath,
  resolvePath,
  type StageAddress,
  stageAddress,
} from '@dag/model';
import { suggestionOrAll } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { SourceReader } from '../pipeline.ts';
import { addressParts } from '../select/target.ts';
import type { Draft, DraftDep } from '../stage/draft.ts';
import { expandGlob, globTest } from './glob.ts';
import type { Owners } from './owners.ts';

/** Everything that deps on patterns and groups can stand for. */
export interface Surroundings {
  readonly reader: SourceReader;
  readonly owners: Owners;
  readonly drafts: readonly Draft[];
  readonly report: Report;
  readonly unbuilt: Unbuilt;
}

/** What is there and not known, because of problems that are reported. */
export interface Unbuilt {
  /** Stages and groups known by name alone. */
  readonly stages: ReadonlySet<string>;
  /** Files whose stages are not known at all. */
  readonly files: ReadonlySet<string>;
}

/** The deps of a stage as paths: patterns and groups become what they stand for. */
export function expandDeps(
  draft: Draft,
  around: Surroundings,
  groups: ReadonlyMap<string, readonly Draft[]>,
): readonly Dep[] {
  if (draft.deps.every((dep) => dep.kind === 'path')) return draft.stage.deps;
  const found = new Map<AnyPath, Dep>();
  const add = (dep: Dep) => {
    if (!found.has(dep.path)) found.set(dep.path, dep);
  };
  for (const dep of draft.deps) {
    if (dep.kind === 'path') add(dep.dep);
    else if (dep.kind === 'pattern') for (const match of matchesOf(dep, draft, around)) add(match);
    else for (const path of outsOf(dep, draft, around, groups)) add({ path });
  }
  return [...found.values()];
}

/** A file or out of that very name wins; else files that are there and outs that will be. */
function matchesOf(dep: DraftDep & { kind: 'pattern' }, _draft: Draft, around: Surroundings): Dep[] {
  const { path } = dep.dep;
  const { reader, owners } = around;
  if (owners.byPath.has(path)) return [dep.dep];
  const name = baseName(path);
  if (reader.list(folderOf(path)).some((entry) => entry.name === name)) return [dep.dep];
  const test = globTest(path);
  const paths = new Set(expandGlob(reader, path));
  for (const owner of owners.sorted) if (test.test(owner.path)) paths.add(owner.path);
  if (paths.size === 0) return [dep.dep];
  return [...paths].map((match) => ({ path: match, pattern: dep.pattern }));
}

function outsOf(
  dep: DraftDep & { kind: 'stage' },
  draft: Draft,
  around: Surroundings,
  groups: ReadonlyMap<string, readonly Draft[]>,
): AnyPath[] {
  const addresses = addressesOf(dep.name, draft);
  const members = addresses.map((address) => groups.get(address)).find((found) => found !== undefined);
  if (members === undefined) {
    if (addresses.some((address) => hidden(address, around.unbuilt))) return [];
    const where = `stages.${draft.group ?? draft.stage.name}.deps`;
    const message = `${where}: there is no stage or group ${quote(dep.name)}`;
    const hint = suggestionOrAll(dep.name, groups.keys()) ?? "'dag stage list' names the stages";
    around.report.add(draft.source, dep.at, 'bad-value', message, hint);
    return [];
  }
  return members.flatMap((member) => (member === draft ? [] : member.stage.outs.map((out) => out.path)));
}

/** Whether a stage may well be there, hidden by a problem that is reported. */
function hidden(address: StageAddress, unbuilt: Unbuilt): boolean {
  const colon = address.lastIndexOf(':');
  const file = colon === -1 ? 'pipeline.yaml' : address.slice(0, colon);
  if (unbuilt.files.has(file) || unbuilt.stages.has(address)) return true;
  const at = address.lastIndexOf('@');
  return at !== -1 && unbuilt.stages.has(address.slice(0, at));
}

/** All that a name can mean: `path/pipeline.yaml:name` seen from the file, `:name` or `name` in it. */
function addressesOf(name: string, { stage }: Draft): StageAddress[] {
  return [...addressParts(name), ['', name] as const].flatMap(([written, inner]) => {
    const file = written === '' ? stage.file : resolvePath(parentPath(stage.file), written);
    return file === undefined ? [] : [stageAddress(file, inner)];
  });
}

/** Drafts by address, and by the address of their group. */
export function groupDrafts(drafts: readonly Draft[]): Map<string, Draft[]> {
  const groups = new Map<string, Draft[]>();
  for (const draft of drafts) {
    groups.set(draft.stage.address, [draft]);
    if (draft.group === undefined) continue;
    const group = stageAddress(draft.stage.file, draft.group);
    const members = groups.get(group);
    if (members) members.push(draft);
    else groups.set(group, [draft]);
  }
  return groups;
}
