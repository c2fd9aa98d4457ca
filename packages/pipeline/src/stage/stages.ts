import { type AnyPath, type ProjectPath, type StageAddress, stageAddress, type Value } from '@dag/model';
import type { DataFiles } from '../data/read.ts';
import { itemReports } from '../diagnostic/items.ts';
import { quote } from '../diagnostic/quote.ts';
import { named, type Report } from '../diagnostic/report.ts';
import { lineCounter, type Source } from '../diagnostic/source.ts';
import { fitShape } from '../language/check.ts';
import { FOREACH, STAGE, STAGE_FIELDS } from '../language/definition.ts';
import type { ParsingSettings, SourceReader, UsedValues } from '../pipeline.ts';
import type { Bound, Finder } from '../template/bound.ts';
import { addVars, type Context } from '../template/context.ts';
import { type Combination, foreachItems, matrixItems } from '../template/expand.ts';
import { checkTemplates, resolveNode, type Scope } from '../template/interpolate.ts';
import { type Entry, findEntry, findValue, isUnknown, type MapNode, type Node, type ScalarNode } from '../yaml/node.ts';
import { buildStage } from './build.ts';
import type { Draft } from './draft.ts';
import { keysOutside, withoutDo, withoutMatrixDo } from './misplaced.ts';
import { projectPath } from './paths.ts';

/** A file whose stages are read. */
export interface StagesPlace {
  readonly file: ProjectPath;
  readonly folder: ProjectPath;
  readonly source: Source;
  readonly report: Report;
  readonly reader: SourceReader;
  readonly files: DataFiles;
  readonly finder: Finder;
  readonly parsing: ParsingSettings;
  /** Values for templates. */
  readonly context: Context;
  /** Whether the file holds any template. */
  readonly templated: boolean;
  /** The file itself: keys of stages that stand there hold for all of them. */
  readonly defaults: MapNode;
}

const NO_ITEM: Combination = { key: '', current: new Map<string, Bound>() };
const NOTHING_USED: UsedValues = new Map();

/** Fields that say how a stage is run, not what it makes: values that only they name make no result stale. */
const HOW_IT_RUNS = new Set(['resources', 'mutex', 'retries', 'timeout', 'checkpoints', 'stall', 'verify']);

/** What `stages:` of a file says. */
export interface StagesRead {
  /** Every stage as far as it could be made out; those with problems are broken. */
  readonly drafts: readonly Draft[];
  /** Stages and groups that are known by name alone: problems, which are reported, leave open what they make. */
  readonly unbuilt: readonly StageAddress[];
}

/** Where one stage or group stands. */
interface Named {
  readonly name: string;
  readonly key: ScalarNode;
  readonly line: number;
  /** A problem is reported already. */
  readonly broken: boolean;
}

/** Reads `stages:`. All problems are reported. */
export function readStages(stages: MapNode, place: StagesPlace): StagesRead {
  const drafts: Draft[] = [];
  const unbuilt: StageAddress[] = [];
  const lineAt = lineCounter(place.source.text);
  const misplaced = keysOutside(stages, place.source, place.report);
  for (const entry of stages.entries) {
    const { key, value } = entry;
    const address = stageAddress(place.file, String(key.value));
    if (misplaced.keys.has(key)) continue;
    const line = lineAt(key.start);
    const before = place.report.count;
    checkName(key, place);
    const definition = misplaced.empty === entry ? undefined : readDefinition(key, value, place);
    if (definition === undefined) {
      unbuilt.push(address);
      continue;
    }
    const broken = place.report.count > before;
    const incomplete = expand(definition, { name: String(key.value), key, line, broken }, place, drafts);
    if (incomplete) unbuilt.push(address);
  }
  return { drafts, unbuilt };
}

function checkName(key: ScalarNode, place: StagesPlace): void {
  const { value } = key;
  if (typeof value !== 'string') {
    const hint = `write it in quotes: \`'${value}'\``;
    place.report.add(place.source, key, 'wrong-type', 'the name of a stage must be a string', hint);
  } else if (value === '' || value.includes('@')) {
    const message = value === '' ? 'a stage needs a name' : `the name ${quote(value)} holds an @`;
    const hint = value === '' ? 'write one: `train:`' : 'foreach and matrix write the @ themselves';
    place.report.add(place.source, key, 'bad-value', message, hint);
  }
}

/** A second @ would make the address of a generated stage say two things, and without a word after it, nothing. */
function soundItem(item: Combination, name: string, at: Node, place: StagesPlace): boolean {
  if (item.key !== '' && !item.key.includes('@')) return true;
  const message =
    item.key === ''
      ? `an empty text gives a stage of ${quote(name)} no name`
      : `the name ${quote(`${name}@${item.key}`)} holds a second @`;
  const hint = 'name the items otherwise: a map of items has names of its own';
  place.report.add(place.source, at, 'bad-value', message, hint);
  return false;
}

/** A definition as far as it fits its shape, its malformed templates reported; undefined where it is no map. */
function readDefinition(key: ScalarNode, written: Node, place: StagesPlace): MapNode | undefined {
  const { source, report } = place;
  const name = `stages.${key.value}`;
  const value =
    written.kind === 'map' ? withoutDo(withoutMatrixDo(written, name, source, report), name, source, report) : written;
  const each = value.kind === 'map' && (findEntry(value, 'foreach') ?? findEntry(value, 'do')) !== undefined;
  if (value.kind === 'map' && findEntry(value, 'matrix') === undefined) {
    const stray = each ? undefined : (findEntry(value, 'exclude') ?? findEntry(value, 'include'));
    if (stray) {
      const message = `${name}.${stray.key.value} needs a matrix beside it`;
      report.add(source, stray.key, 'bad-value', message, 'write `matrix: {x: [1, 2]}`, or take it out');
    }
  }
  const fits = fitShape(value, each ? FOREACH : STAGE, name, { source, report, templates: true });
  if (fits.kind !== 'map') return undefined;
  if (place.templated) {
    for (const entry of fits.entries) {
      const fields = entry.key.value === 'do' && entry.value.kind === 'map' ? entry.value.entries : [entry];
      for (const field of fields) checkTemplates(field.value, source, named(report, `${name}.${field.key.value}`));
    }
  }
  return fits;
}

/** The stages of a definition. Returns whether some are left out because of problems. */
function expand(definition: MapNode, stage: Named, place: StagesPlace, drafts: Draft[]): boolean {
  const { name, key } = stage;
  const template = findValue(definition, 'do');
  const matrix = findValue(definition, 'matrix');
  if (template === undefined && matrix === undefined) {
    drafts.push(one(definition, NO_ITEM, undefined, stage, place, place.report));
    return false;
  }
  const scope = scopeOf(place, place.context, NO_ITEM.current, `stages.${name}.${template ? 'foreach' : 'matrix'}`);
  const foreach = findValue(definition, 'foreach');
  const items = foreach === undefined ? matrixItems(definition, name, scope) : foreachItems(foreach, name, scope);
  const body = template === undefined ? withoutMatrix(definition) : template;
  if (body.kind !== 'map') return true;
  const reports = itemReports(place.report);
  let incomplete = items.incomplete;
  for (const item of items.list) {
    if (!soundItem(item, name, foreach ?? matrix ?? key, place)) {
      incomplete = true;
      break;
    }
    drafts.push(one(body, item, name, stage, place, reports.of(`${name}@${item.key}`)));
  }
  reports.finish(items.list.length);
  return incomplete;
}

const MATRIX_KEYS: ReadonlySet<unknown> = new Set(['matrix', 'exclude', 'include']);

function withoutMatrix(definition: MapNode): MapNode {
  return { ...definition, entries: definition.entries.filter((entry) => !MATRIX_KEYS.has(entry.key.value)) };
}

function scopeOf(
  place: StagesPlace,
  context: Context,
  current: ReadonlyMap<string, Bound>,
  name: string,
  report: Report = place.report,
  used?: Map<AnyPath, Map<string, Value>>,
): Scope {
  const { finder, parsing, source } = place;
  return { context, current, finder, parsing, source, report, name, used };
}

/** One stage: its templates resolved, its types checked again, built. */
function one(
  body: MapNode,
  item: Combination,
  group: string | undefined,
  stage: Named,
  place: StagesPlace,
  report: Report,
): Draft {
  const { source, reader, file, folder } = place;
  const { key, line, broken } = stage;
  const vars = findValue(body, 'vars');
  const where = `stages.${stage.name}`;
  const name = group === undefined ? stage.name : `${group}@${item.key}`;
  const { defaults } = place;
  const origin = {
    name,
    where,
    group,
    file,
    folder,
    source,
    report,
    reader,
    at: key,
    line,
    broken,
    defaults,
    used: NOTHING_USED,
  };
  if (vars === undefined && !place.templated) return buildStage(body, origin);
  const used = new Map<AnyPath, Map<string, Value>>();
  const before = report.count;
  const context = vars === undefined ? place.context : stageContext(body, vars, item, where, place, report);
  const resolved = resolveBody(body, (field, value) => {
    const counts = HOW_IT_RUNS.has(field) ? undefined : used;
    const scope = scopeOf(place, context, item.current, `${where}.${field}`, report, counts);
    const known = resolveNode(value, field === 'cmd' ? 'command' : 'scalar', scope);
    const shape = known === value ? undefined : STAGE_FIELDS[field]?.shape;
    return shape === undefined
      ? known
      : fitShape(known, shape, `${where}.${field}`, { source, report, templates: false });
  });
  return buildStage(resolved, {
    ...origin,
    broken: broken || report.count > before,
    used: used.size === 0 ? NOTHING_USED : used,
  });
}

/** The file's values and the stage's own `vars:`, whose files are relative to its wdir. */
function stageContext(
  body: MapNode,
  vars: Node,
  item: Combination,
  where: string,
  place: StagesPlace,
  report: Report,
): Context {
  const { context } = place;
  const wdirNode = findValue(body, 'wdir');
  let folder: ProjectPath | undefined = place.folder;
  if (wdirNode !== undefined) {
    const field = `${where}.wdir`;
    const resolved = resolveNode(wdirNode, 'scalar', scopeOf(place, context, item.current, field, report));
    const written = resolved.kind === 'scalar' && !isUnknown(resolved) ? String(resolved.value) : undefined;
    if (written !== '') {
      const at = { ...place, report: named(report, field) };
      folder = written === undefined ? undefined : projectPath(written, wdirNode, at);
    }
  }
  // Without the folder nobody knows which files are meant.
  if (folder === undefined) return { ...context, incomplete: true };
  const reserved = [...item.current.keys()];
  return addVars(context, vars, { ...place, report, folder, name: `${where}.vars`, reserved });
}

/** A definition without its `vars:`, each field that holds a template resolved; the others fit their shape already. */
function resolveBody(body: MapNode, resolve: (field: string, value: Node) => Node): MapNode {
  let changed = false;
  const entries: Entry[] = [];
  for (const entry of body.entries) {
    const { key, value } = entry;
    if (key.value === 'vars') continue;
    const known = holdsMark(value) ? resolve(String(key.value), value) : value;
    changed ||= known !== value;
    entries.push(known === value ? entry : { key, value: known });
  }
  return changed ? { ...body, entries } : body;
}

/** Whether there is anything to resolve, be it an escape. */
function holdsMark(node: Node): boolean {
  if (node.kind === 'scalar') return typeof node.value === 'string' && node.value.includes('${');
  if (node.kind === 'seq') return node.items.some(holdsMark);
  return node.entries.some(({ key, value }) => holdsMark(key) || holdsMark(value));
}
