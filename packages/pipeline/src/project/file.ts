import { isExternal, type ProjectPath, parentPath, type StageAddress, type TrackedData } from '@dag/model';
import { type DataFiles, decodeText } from '../data/read.ts';
import { isNothing, toValue } from '../data/value.ts';
import { named, type Report } from '../diagnostic/report.ts';
import { lineOf, type Source } from '../diagnostic/source.ts';
import { fitShape } from '../language/check.ts';
import { PIPELINE, SETTINGS_FIELDS } from '../language/definition.ts';
import type { Shape } from '../language/shape.ts';
import type { NamedArtifact, ParsingSettings, ShownFile, SourceReader, TopPlot } from '../pipeline.ts';
import type { Draft } from '../stage/draft.ts';
import { stagesAtTop } from '../stage/misplaced.ts';
import { anyPath, ownedPath, type PathsPlace, projectPath, refuseExternal } from '../stage/paths.ts';
import { readStages } from '../stage/stages.ts';
import type { Finder } from '../template/bound.ts';
import { fileContext } from '../template/context.ts';
import { checkTemplates, resolveNode } from '../template/interpolate.ts';
import { findValue, isUnknown, type MapNode, type Node, type Range } from '../yaml/node.ts';
import { parseYaml } from '../yaml/parse.ts';

/** A pipeline.yaml as text and tree, its keys and types checked, its stages not yet read. */
export interface ParsedFile {
  readonly file: ProjectPath;
  readonly source: Source;
  readonly root: MapNode;
}

/** What one pipeline.yaml says. */
export interface FileContents {
  readonly drafts: readonly Draft[];
  /** Stages and groups that are known by name alone. */
  readonly unbuilt: readonly StageAddress[];
  readonly data: readonly { readonly data: TrackedData; readonly source: Source; readonly at: Range }[];
  readonly params: readonly ShownFile[];
  readonly metrics: readonly ShownFile[];
  readonly plots: readonly TopPlot[];
  readonly artifacts: readonly NamedArtifact[];
}

const EMPTY: MapNode = { kind: 'map', entries: [], flow: false, start: 0, end: 0 };

/** Reads a pipeline.yaml as far as its own text goes. Undefined when it can't be used at all; problems are reported. */
export function parseFile(reader: SourceReader, file: ProjectPath, report: Report): ParsedFile | undefined {
  const bytes = reader.read(file);
  if (bytes === undefined) return undefined;
  const text = decodeText(bytes, file, report);
  return text === undefined ? undefined : parseText(file, text, PIPELINE, report);
}

/** Reads .cache/local.yaml, or the user's own file: settings only. */
export function parseLocal(file: ProjectPath, text: string, report: Report): ParsedFile | undefined {
  return parseText(file, text, { type: 'map', fields: SETTINGS_FIELDS, required: [] }, report);
}

function parseText(file: ProjectPath, text: string, shape: Shape, report: Report): ParsedFile | undefined {
  const source = { file, text };
  const { root, problems } = parseYaml(text);
  for (const { at, message, hint, conflict } of problems) {
    report.add(source, at, conflict ? 'conflict' : 'syntax', message, hint);
  }
  if (problems.length > 0 && root === undefined) return undefined;
  const map = root === undefined || isNothing(root) ? EMPTY : root;
  const sorted = map.kind === 'map' && shape === PIPELINE ? stagesAtTop(map, source, report) : map;
  const fits = fitShape(sorted, shape, '', { source, report, templates: true });
  return fits.kind === 'map' ? { file, source, root: fits } : undefined;
}

/** Reads all that a file says. Problems are reported, and what has them left out. */
export function readContents(
  parsed: ParsedFile,
  reader: SourceReader,
  files: DataFiles,
  finder: Finder,
  parsing: ParsingSettings,
  report: Report,
): FileContents {
  const { file, source, root } = parsed;
  const folder = parentPath(file);
  const vars = findValue(root, 'vars');
  const templated = vars !== undefined || source.text.includes('${');
  const place = { source, report, reader, files, folder, name: 'vars', reserved: [] };
  // Read even where nothing draws on it: a params.yaml that can't be read is a mistake, and found before anything runs.
  const context = fileContext(vars, place);
  const stages = findValue(root, 'stages');
  const { drafts, unbuilt } =
    stages?.kind === 'map'
      ? readStages(stages, {
          file,
          folder,
          source,
          report,
          reader,
          files,
          finder,
          parsing,
          context,
          templated,
          defaults: root,
        })
      : { drafts: [], unbuilt: [] };
  const at = (key: string): PathsPlace => ({ ...place, report: named(report, key) });
  const top = (key: string): Node => {
    const node = findValue(root, key) ?? EMPTY;
    if (!source.text.includes('${')) return node;
    checkTemplates(node, source, named(report, key));
    const current = new Map();
    return resolveNode(node, 'any', { context, current, finder, parsing, source, report, name: key, used: undefined });
  };
  return {
    drafts,
    unbuilt,
    data: readData(findValue(root, 'data'), file, at('data')),
    params: readShown(top('params'), file, at('params')),
    metrics: readShown(top('metrics'), file, at('metrics')),
    plots: readPlots(top('plots'), file),
    artifacts: readArtifacts(top('artifacts'), file, at('artifacts')),
  };
}

function readData(node: Node | undefined, file: ProjectPath, place: PathsPlace): FileContents['data'] {
  if (node?.kind !== 'seq') return [];
  const { source } = place;
  const found: { data: TrackedData; source: Source; at: Range }[] = [];
  for (const item of node.items) {
    const at = item.kind === 'map' ? findValue(item, 'path') : item;
    if (at?.kind !== 'scalar' || typeof at.value !== 'string') continue;
    const path = ownedPath(at.value, at, place);
    if (path === undefined) continue;
    if (isExternal(path)) {
      const hint = 'name it in the deps of the stages that read it, or copy it into the project';
      refuseExternal(at.value, at, place, 'tracked data', hint);
      continue;
    }
    const scalar = (key: string) => {
      const value = findValue(item, key);
      return value?.kind === 'scalar' ? value.value : undefined;
    };
    const remote = scalar('remote');
    const desc = scalar('desc');
    const data: TrackedData = {
      path,
      file,
      push: scalar('push') !== false,
      line: lineOf(source.text, at.start),
      ...(typeof remote === 'string' ? { remote } : {}),
      ...(typeof desc === 'string' ? { desc } : {}),
    };
    found.push({ data, source, at });
  }
  return found;
}

function readShown(node: Node, file: ProjectPath, place: PathsPlace): ShownFile[] {
  if (node.kind !== 'seq') return [];
  return node.items.flatMap((item) => {
    if (item.kind !== 'scalar' || isUnknown(item)) return [];
    const path = anyPath(String(item.value), item, place);
    return path === undefined ? [] : [{ path, file }];
  });
}

function readPlots(node: Node, file: ProjectPath): TopPlot[] {
  if (node.kind !== 'seq') return [];
  return node.items.flatMap((item): TopPlot[] => {
    if (item.kind === 'scalar') return [{ id: String(item.value), file, definition: {} }];
    if (item.kind !== 'map') return [];
    return item.entries.map(({ key, value }) => ({ id: String(key.value), file, definition: toValue(value) ?? {} }));
  });
}

function readArtifacts(node: Node, file: ProjectPath, place: PathsPlace): NamedArtifact[] {
  if (node.kind !== 'map') return [];
  return node.entries.flatMap(({ key, value }): NamedArtifact[] => {
    const at = findValue(value, 'path');
    if (at?.kind !== 'scalar' || isUnknown(at)) return [];
    const path = projectPath(String(at.value), at, place);
    if (path === undefined) return [];
    const labels = findValue(value, 'labels');
    const type = findValue(value, 'type');
    const desc = findValue(value, 'desc');
    const meta = findValue(value, 'meta');
    return [
      {
        name: String(key.value),
        path,
        file,
        labels: labels?.kind === 'seq' ? labels.items.map((item) => String(toValue(item))) : [],
        ...(type?.kind === 'scalar' ? { type: String(type.value) } : {}),
        ...(desc?.kind === 'scalar' ? { desc: String(desc.value) } : {}),
        ...(meta === undefined ? {} : { meta: toValue(meta) }),
      },
    ];
  });
}
