import {
  type AnyPath,
  baseName,
  byCodeUnit,
  isInside,
  isWithin,
  joinPath,
  type ProjectPath,
  parentPath,
  ROOT,
  resolvePath,
  type Stage,
  type StageAddress,
  stageAddress,
} from '@dag/model';
import { dataFiles } from './data/read.ts';
import { quote } from './diagnostic/quote.ts';
import { newReport, type Report } from './diagnostic/report.ts';
import type { Source } from './diagnostic/source.ts';
import { buildGraph, type Graph } from './graph/build.ts';
import { SETTINGS_FIELDS } from './language/definition.ts';
import type { Loaded, LoadOptions, Pipeline, Settings, SourceReader } from './pipeline.ts';
import { type FileContents, type ParsedFile, parseFile, parseLocal, readContents } from './project/file.ts';
import type { IgnoreRules } from './project/ignore.ts';
import { readSettings } from './project/settings.ts';
import { LOCK_FILE, PIPELINE_FILE, saysRoot, walkPipelines } from './project/walk.ts';
import { resolveTarget } from './select/target.ts';
import type { Draft } from './stage/draft.ts';
import { Finder } from './template/bound.ts';
import type { Range } from './yaml/node.ts';

const LOCAL_SETTINGS = '.cache/local.yaml' as ProjectPath;

/**
 * Reads every pipeline.yaml of a project and checks them together, before anything runs: keys, types, templates, paths,
 * doubled and overlapping outs, cycles. All problems come in one go. Without targets any problem leaves no pipeline; with
 * targets only problems in files that those need.
 *
 * Every file is read and resolved for targets too. What a target needs is known by the owners of its deps, and any file
 * may make any path: `wdir` leads anywhere, and outs are templates until their values are known. So is where the walk ends,
 * since it does not enter what stages make. What a target saves is what comes after: params, hashes and the lock of others.
 */
export function loadPipeline(reader: SourceReader, options: LoadOptions = {}): Loaded {
  const report = newReport();
  const read = readFiles(reader, options, report);
  const contents = [...read.contents.values()];
  const drafts = contents.flatMap((one) => one.drafts);
  const data = contents.flatMap((one) => one.data);
  const unbuilt = { stages: new Set(contents.flatMap((one) => one.unbuilt)), files: read.unread };
  const graph = buildGraph(drafts, data, reader, report, unbuilt);
  const pipeline = assemble(graph, read);
  const diagnostics = report.sorted();
  if (diagnostics.length === 0) return { pipeline, diagnostics };
  const usable =
    options.settingsOnly === true
      ? !read.unread.has(PIPELINE_FILE as ProjectPath) && hasSoundSettings(options, report)
      : options.targets !== undefined && options.targets.length > 0 && soundFor(options, pipeline, read, report);
  return { pipeline: usable ? withoutBroken(pipeline, drafts) : undefined, diagnostics };
}

/** What is left when the stages with problems are taken out. */
function withoutBroken(pipeline: Pipeline, drafts: readonly Draft[]): Pipeline {
  const broken = new Set(drafts.filter((draft) => draft.broken).map((draft) => draft.stage.address));
  const sound = (address: StageAddress) => !broken.has(address);
  const groups = [...pipeline.groups].map(([group, members]) => [group, members.filter(sound)] as const);
  return {
    ...pipeline,
    stages: new Map([...pipeline.stages].filter(([address]) => sound(address))),
    groups: new Map(groups.filter(([, members]) => members.length > 0)),
    edges: pipeline.edges.filter((edge) => edge.every(sound)),
    upstream: (address) => pipeline.upstream(address).filter(sound),
    downstream: (address) => pipeline.downstream(address).filter(sound),
    order: pipeline.order.filter(sound),
  };
}

/** What all files of a project say, before it is seen as one graph. */
export interface FilesRead {
  readonly files: readonly ProjectPath[];
  readonly settings: Settings;
  readonly contents: ReadonlyMap<ProjectPath, FileContents>;
  /** Files with a problem that may be reported elsewhere: in a params file, say. */
  readonly broken: ReadonlySet<ProjectPath>;
  /** Files of which nothing could be made out. */
  readonly unread: ReadonlySet<ProjectPath>;
}

/** Reads every pipeline.yaml, each as far as it can be made out. Problems are reported. */
export function readFiles(reader: SourceReader, options: LoadOptions, report: Report): FilesRead {
  const root = parseFile(reader, PIPELINE_FILE as ProjectPath, report);
  const local =
    options.localSettings === undefined ? undefined : parseLocal(LOCAL_SETTINGS, options.localSettings, report);
  const user =
    options.userSettings === undefined
      ? undefined
      : parseLocal(options.userSettings.file as ProjectPath, options.userSettings.text, report);
  const settings = readSettings(
    [user, root, local].filter((file) => file !== undefined),
    report,
  );
  const params = dataFiles(reader, report);
  const finder = new Finder();
  const files: ProjectPath[] = [];
  const contents = new Map<ProjectPath, FileContents>();
  const broken = new Set<ProjectPath>();
  const unread = new Set<ProjectPath>();
  const folders = new Set<AnyPath>();
  const cache = settings.cache.dir === undefined ? undefined : resolvePath(ROOT, settings.cache.dir);
  const rules = walkPipelines(reader, {
    file(file, lockIgnored) {
      if (parentPath(file) !== ROOT && saysRoot(reader.read(file))) return false;
      files.push(file);
      const before = report.count;
      const parsed = parentPath(file) === ROOT ? root : parseFile(reader, file, report);
      if (parsed === undefined) {
        broken.add(file);
        unread.add(file);
        // Whatever the file draws on: what is wrong with its params is told in the same go.
        params.read(joinPath(parentPath(file), 'params.yaml'));
        return true;
      }
      if (parentPath(file) !== ROOT) refuseSettings(parsed, report);
      if (lockIgnored) reportIgnoredLock(parsed, report);
      const said = readContents(parsed, reader, params, finder, settings.parsing, report);
      contents.set(file, said);
      if (report.count > before) broken.add(file);
      for (const { data } of said.data) folders.add(data.path);
      for (const { stage } of said.drafts) for (const out of stage.outs) folders.add(out.path);
      return true;
    },
    rootIgnored: (file) => {
      const hint = 'take it out of .gitignore and .dagignore: it belongs in git';
      report.add({ file, text: '' }, { start: 0, end: 0 }, 'bad-path', `${file} is ignored`, hint);
    },
    skip: (folder) => folders.has(folder) || folder === cache,
  });
  for (const said of contents.values()) refuseIgnored(said, reader, rules, report);
  return { files: files.sort(byCodeUnit), settings, contents, broken, unread };
}

/** What .dagignore leaves out is not looked at: as an out or tracked data it would never be found. */
function refuseIgnored(said: FileContents, reader: SourceReader, rules: IgnoreRules, report: Report): void {
  const look = (path: ProjectPath, source: Source, at: Range) => {
    if (!rules.leftOut(path, 'folder')) return;
    const isFolder = reader.list(parentPath(path)).some((one) => one.kind === 'folder' && one.name === baseName(path));
    if (!isFolder && !rules.leftOut(path, 'file')) return;
    const hint = 'take it out of .dagignore, or let it lie elsewhere';
    report.add(source, at, 'bad-path', `${quote(path)} is ignored by .dagignore`, hint);
  };
  for (const { stage, outPlaces, source, at } of said.drafts) {
    for (const [i, { path }] of stage.outs.entries()) if (isInside(path)) look(path, source, outPlaces[i] ?? at);
  }
  for (const { data, source, at } of said.data) look(data.path, source, at);
}

/** Settings belong to the project: in a file below the root they would be silently lost. */
function refuseSettings({ root, source }: ParsedFile, report: Report): void {
  for (const { key } of root.entries) {
    if (typeof key.value !== 'string' || key.value === 'root' || !Object.hasOwn(SETTINGS_FIELDS, key.value)) continue;
    const hint = 'move it there, or write `root: true` here to make this folder a project of its own';
    report.add(
      source,
      key,
      'unknown-key',
      `${quote(key.value)} is a setting of the project and counts in its root ${PIPELINE_FILE} only`,
      hint,
    );
  }
}

function reportIgnoredLock({ source, file }: ParsedFile, report: Report): void {
  const folder = parentPath(file);
  const lock = folder === '' ? LOCK_FILE : `${folder}/${LOCK_FILE}`;
  const hint = 'take it out of .gitignore: the lock belongs in git';
  report.add(source, { start: 0, end: 0 }, 'bad-path', `${lock} is ignored by git`, hint);
}

function assemble(graph: Graph, read: FilesRead): Pipeline {
  const contents = [...read.contents.values()];
  const drafts = contents.flatMap((one) => one.drafts);
  const groups = new Map<StageAddress, StageAddress[]>();
  for (const { group, stage } of drafts) {
    if (group === undefined) continue;
    const address = stageAddress(stage.file, group);
    const members = groups.get(address);
    if (members) members.push(stage.address);
    else groups.set(address, [stage.address]);
  }
  const data = contents.flatMap((one) => one.data.map((entry) => entry.data));
  return {
    files: read.files,
    stages: graph.stages,
    groups,
    data: data.sort((a, b) => byCodeUnit(a.path, b.path)),
    edges: graph.edges,
    upstream: (address) => graph.upstream.get(address) ?? [],
    downstream: (address) => graph.downstream.get(address) ?? [],
    order: graph.order,
    used: new Map(drafts.map(({ stage, used }) => [stage.address, used])),
    plotProperties: new Map(drafts.map(({ stage, plotProperties }) => [stage.address, plotProperties])),
    settings: read.settings,
    params: contents.flatMap((one) => one.params),
    metrics: contents.flatMap((one) => one.metrics),
    plots: contents.flatMap((one) => one.plots),
    artifacts: contents.flatMap((one) => one.artifacts),
  };
}

/** Beside those of the root's pipeline.yaml. */
function hasSoundSettings({ userSettings }: LoadOptions, report: Report): boolean {
  return !report.has(LOCAL_SETTINGS) && (userSettings === undefined || !report.has(userSettings.file));
}

/** Whether the targets, and all that they need, stand in files without problems. */
function soundFor(options: LoadOptions, pipeline: Pipeline, read: FilesRead, report: Report): boolean {
  const bad = (file: ProjectPath) => read.broken.has(file) || report.has(file);
  if (!hasSoundSettings(options, report) || bad(PIPELINE_FILE as ProjectPath)) return false;
  const unreadable = read.files.filter(bad).map(parentPath);
  const seen = new Set<StageAddress>();
  for (const target of options.targets ?? []) {
    const found = resolveTarget(pipeline, target, options.cwd ?? ROOT, { glob: false });
    if (found === undefined) return false;
    if (found.data !== undefined && bad(found.data.file)) return false;
    const stack = [...found.stages];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      const stage = pipeline.stages.get(next);
      if (stage === undefined || bad(stage.file)) return false;
      const upstream = pipeline.upstream(next);
      if (mayNeed(stage, upstream, unreadable, pipeline)) return false;
      stack.push(...upstream);
    }
  }
  return true;
}

/** Whether a stage reads something, made by nobody that is known, in a folder whose pipeline.yaml has problems. */
function mayNeed(
  stage: Stage,
  upstream: readonly StageAddress[],
  unreadable: readonly ProjectPath[],
  pipeline: Pipeline,
): boolean {
  if (unreadable.length === 0) return false;
  const known = upstream.flatMap((address) => pipeline.stages.get(address)?.outs ?? []);
  return stage.deps.some(
    ({ path }) =>
      unreadable.some((folder) => isWithin(folder, path)) &&
      ![...known, ...pipeline.data].some((made) => isWithin(made.path, path)),
  );
}
