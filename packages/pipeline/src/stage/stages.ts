import type { ProjectPath, Value } from '@dag/model';
import type { DataFiles } from '../data/read.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import { lineCounter, type Source } from '../diagnostic/source.ts';
import { checkShape } from '../language/check.ts';
import { FOREACH, STAGE } from '../language/definition.ts';
import type { ParsingSettings, UsedValues } from '../pipeline.ts';
import type { Bound, Finder } from '../template/bound.ts';
import { addVars, type Context } from '../template/context.ts';
import { type Combination, foreachItems, matrixItems } from '../template/expand.ts';
import { checkTemplates, resolveNode, type Scope, TemplateFailure } from '../template/interpolate.ts';
import { findEntry, findValue, type MapNode, type Node, type ScalarNode } from '../yaml/node.ts';
import { buildStage } from './build.ts';
import type { Draft } from './draft.ts';
import { projectPath } from './paths.ts';

/** A file whose stages are read. */
export interface StagesPlace {
  readonly file: ProjectPath;
  readonly folder: ProjectPath;
  readonly source: Source;
  readonly report: Report;
  readonly files: DataFiles;
  readonly finder: Finder;
  readonly parsing: ParsingSettings;
  /** Values for templates; undefined when they could not be loaded, which is reported already. */
  readonly context: Context | undefined;
  /** Whether the file holds any template. */
  readonly templated: boolean;
}

const NO_ITEM: ReadonlyMap<string, Bound> = new Map();
const NOTHING_USED: UsedValues = new Map();

/** Reads `stages:`. Problems are reported, and the stage left out. */
export function readStages(stages: MapNode, place: StagesPlace): Draft[] {
  const drafts: Draft[] = [];
  const lineAt = lineCounter(place.source.text);
  for (const { key, value } of stages.entries) {
    const line = lineAt(key.start);
    if (!soundName(key, place)) continue;
    const definition = readDefinition(key, value, place);
    if (definition) drafts.push(...expand(definition, key, line, place));
  }
  return drafts;
}

function soundName(key: ScalarNode, place: StagesPlace): boolean {
  const { value } = key;
  if (typeof value !== 'string') {
    const hint = `write it in quotes: '${value}'`;
    place.report.add(place.source, key, 'wrong-type', 'the name of a stage must be a string', hint);
    return false;
  }
  if (value !== '' && !value.includes('@')) return true;
  const message = value === '' ? 'a stage needs a name' : `the name ${quote(value)} holds an @`;
  place.report.add(place.source, key, 'bad-value', message, 'foreach and matrix write the @ themselves');
  return false;
}

/** A second @ would make the address of a generated stage say two things. */
function soundItem(item: Combination, name: string, at: Node, place: StagesPlace): boolean {
  if (!item.key.includes('@')) return true;
  const message = `the name ${quote(`${name}@${item.key}`)} holds a second @`;
  place.report.add(
    place.source,
    at,
    'bad-value',
    message,
    'name the items otherwise: a map of items has names of its own',
  );
  return false;
}

/** A definition that fits its shape, its templates well formed. */
function readDefinition(key: ScalarNode, value: Node, place: StagesPlace): MapNode | undefined {
  const { source, report } = place;
  const each = value.kind === 'map' && (findEntry(value, 'foreach') ?? findEntry(value, 'do')) !== undefined;
  const context = { source, report, templates: true };
  if (value.kind === 'map' && findEntry(value, 'matrix') === undefined) {
    const stray = each ? undefined : (findEntry(value, 'exclude') ?? findEntry(value, 'include'));
    if (stray) {
      const message = `stages.${key.value}.${stray.key.value} needs a matrix beside it`;
      report.add(source, stray.key, 'bad-value', message);
    }
  }
  const fits = checkShape(value, each ? FOREACH : STAGE, `stages.${key.value}`, context);
  if (!fits || value.kind !== 'map') return undefined;
  if (!place.templated) return value;
  return checkTemplates(value, source, report) ? value : undefined;
}

function expand(definition: MapNode, key: ScalarNode, line: number, place: StagesPlace): Draft[] {
  const name = String(key.value);
  const template = findValue(definition, 'do');
  const matrix = findValue(definition, 'matrix');
  if (template === undefined && matrix === undefined) {
    const draft = one(definition, { key: '', current: NO_ITEM }, name, undefined, key, line, place);
    return draft ? [draft] : [];
  }
  if (place.context === undefined) return [];
  try {
    const scope = scopeOf(place, place.context, NO_ITEM, undefined, undefined);
    const foreach = findValue(definition, 'foreach');
    const items = foreach === undefined ? matrixItems(definition, name, scope) : foreachItems(foreach, name, scope);
    const body = template?.kind === 'map' ? template : withoutMatrix(definition);
    const drafts: Draft[] = [];
    for (const item of items) {
      if (!soundItem(item, name, foreach ?? matrix ?? key, place)) break;
      const draft = one(body, item, `${name}@${item.key}`, name, key, line, place);
      if (draft) drafts.push(draft);
      // One broken item stands for all that fail in the same way.
      else if (drafts.length === 0) break;
    }
    return drafts;
  } catch (error) {
    if (error instanceof TemplateFailure) return [];
    throw error;
  }
}

const MATRIX_KEYS: ReadonlySet<unknown> = new Set(['matrix', 'exclude', 'include']);

function withoutMatrix(definition: MapNode): MapNode {
  return { ...definition, entries: definition.entries.filter((entry) => !MATRIX_KEYS.has(entry.key.value)) };
}

function scopeOf(
  place: StagesPlace,
  context: Context,
  current: ReadonlyMap<string, Bound>,
  label: string | undefined,
  used: Map<ProjectPath, Map<string, Value>> | undefined,
): Scope {
  const { finder, parsing, source, report } = place;
  return { context, current, finder, parsing, source, report, label, used };
}

/** One stage: its templates resolved, its types checked again, built. */
function one(
  body: MapNode,
  item: Combination,
  name: string,
  group: string | undefined,
  key: ScalarNode,
  line: number,
  place: StagesPlace,
): Draft | undefined {
  const { source, report, file, folder } = place;
  const vars = findValue(body, 'vars');
  const origin = { name, group, file, folder, source, report, at: key, line, used: NOTHING_USED };
  if (vars === undefined && !place.templated) return buildStage(body, origin);
  const used = new Map<ProjectPath, Map<string, Value>>();
  if (place.context === undefined) return undefined;
  try {
    const label = group === undefined ? undefined : name;
    const before = report.count;
    const context = vars === undefined ? place.context : stageContext(body, vars, item, name, place, place.context);
    const scope = scopeOf(place, context, item.current, label, used);
    const resolved = resolveBody(body, scope);
    if (resolved !== body) {
      checkShape(resolved, STAGE, `stages.${name}`, { source, report, templates: false });
      if (report.count > before) return undefined;
    }
    return buildStage(resolved, { ...origin, used: used.size === 0 ? NOTHING_USED : used });
  } catch (error) {
    if (error instanceof TemplateFailure) return undefined;
    throw error;
  }
}

/** The file's values and the stage's own `vars:`, whose files are relative to its wdir. */
function stageContext(
  body: MapNode,
  vars: Node,
  item: Combination,
  name: string,
  place: StagesPlace,
  base: Context,
): Context {
  const { source, report, files } = place;
  const wdirNode = findValue(body, 'wdir');
  let folder: ProjectPath | undefined = place.folder;
  if (wdirNode !== undefined) {
    const resolved = resolveNode(wdirNode, 'scalar', scopeOf(place, base, item.current, undefined, undefined));
    const written = resolved.kind === 'scalar' ? String(resolved.value) : '';
    if (written !== '') folder = projectPath(place.folder, written, wdirNode, source, report);
  }
  if (folder === undefined) throw new TemplateFailure();
  const reserved = [...item.current.keys()];
  const varsName = `stages.${name.split('@', 1)[0]}.vars`;
  const context = addVars(base, vars, { source, report, files, folder, name: varsName, reserved });
  if (context === 'broken') throw new TemplateFailure();
  return context;
}

function resolveBody(body: MapNode, scope: Scope): MapNode {
  let changed = false;
  const entries: { key: ScalarNode; value: Node }[] = [];
  let failed: TemplateFailure | undefined;
  for (const entry of body.entries) {
    if (entry.key.value === 'vars') continue;
    try {
      const value = resolveNode(entry.value, entry.key.value === 'cmd' ? 'command' : 'scalar', scope);
      changed ||= value !== entry.value;
      entries.push({ key: entry.key, value });
    } catch (error) {
      if (!(error instanceof TemplateFailure)) throw error;
      failed = error;
    }
  }
  if (failed) throw failed;
  return changed ? { ...body, entries } : body;
}
