import { type ProjectPath, resolvePath } from '@dag/model';
import type { DataFiles } from '../data/read.ts';
import { suggestion } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { Node, Range } from '../yaml/node.ts';
import { type Bound, boundNode, entriesOf, kindOf } from './bound.ts';
import { hasTemplate } from './expression.ts';

/** The values that templates of a file, or of one stage, can draw on. */
export interface Context {
  readonly values: ReadonlyMap<string, Bound>;
  /** Files loaded so far: all of one, or some of its keys. */
  readonly imports: ReadonlyMap<ProjectPath, 'all' | ReadonlySet<string>>;
}

export const EMPTY_CONTEXT: Context = { values: new Map(), imports: new Map() };

/** Where vars are loaded, and where problems go. */
export interface VarsPlace {
  readonly source: Source;
  readonly report: Report;
  readonly files: DataFiles;
  /** The folder that file names are relative to. */
  readonly folder: ProjectPath;
  /** What the vars are called in messages: `vars`, or `stages.train.vars`. */
  readonly name: string;
  /** Names that vars must leave alone: item and key, inside a foreach or matrix. */
  readonly reserved: readonly string[];
}

/** A problem is reported; the stages that need these values are then left out. */
export type ContextResult = Context | 'broken';

/** The context of a file: params.yaml beside it, then its `vars:`. */
export function fileContext(vars: Node | undefined, place: VarsPlace): ContextResult {
  let context: Context = EMPTY_CONTEXT;
  const defaults = resolvePath(place.folder, 'params.yaml');
  if (defaults !== undefined) {
    const data = place.files.read(defaults);
    if (data.kind === 'bad') {
      if (!place.report.has(defaults)) {
        place.report.add({ file: defaults, text: '' }, { start: 0, end: 0 }, 'param', data.problem);
      }
      return 'broken';
    }
    if (data.kind === 'data') {
      const values = new Map(entriesOf(boundNode(data.root, defaults)));
      context = { values, imports: new Map([[defaults, 'all']]) };
    }
  }
  return addVars(context, vars, place);
}

/** Adds a `vars:` list to a context: names of files, `file:key,key`, or maps. What is there already can't be redefined. */
export function addVars(context: Context, vars: Node | undefined, place: VarsPlace): ContextResult {
  if (vars?.kind !== 'seq') return context;
  let result: ContextResult = context;
  for (const item of vars.items) {
    if (holdsTemplate(item)) {
      place.report.add(place.source, item, 'template', `${place.name} can't hold \${…}`, 'write the value itself');
      result = 'broken';
      continue;
    }
    let next: ContextResult = result === 'broken' ? context : result;
    if (item.kind === 'scalar') next = addFile(next, item, place);
    else next = merge(next, new Map(entriesOf(boundNode(item))), item, place, 'vars');
    if (result !== 'broken') result = next;
    else if (next === 'broken') result = 'broken';
  }
  return result;
}

function holdsTemplate(node: Node): boolean {
  if (node.kind === 'scalar') return typeof node.value === 'string' && hasTemplate(node.value);
  if (node.kind === 'seq') return node.items.some(holdsTemplate);
  return node.entries.some((entry) => holdsTemplate(entry.key) || holdsTemplate(entry.value));
}

function addFile(context: Context, item: Node & { kind: 'scalar' }, place: VarsPlace): ContextResult {
  const written = String(item.value);
  const colon = written.indexOf(':');
  const name = colon === -1 ? written : written.slice(0, colon);
  const keys =
    colon === -1
      ? []
      : written
          .slice(colon + 1)
          .split(',')
          .filter((key) => key !== '');
  const fail = (message: string, hint?: string): 'broken' => {
    place.report.add(place.source, item, 'param', message, hint);
    return 'broken';
  };
  const path = resolvePath(place.folder, name);
  if (path === undefined) return fail(`${name} lies outside the project`);
  const before = context.imports.get(path);
  if (before === 'all' && keys.length === 0) return context;
  if (before === 'all') return fail(`${written} can't be loaded in part: all of ${path} is loaded already`);
  if (before !== undefined && (keys.length === 0 || keys.some((key) => before.has(key)))) {
    return fail(`${written} can't be loaded: part of ${path} is loaded already`);
  }
  const data = place.files.read(path);
  if (data.kind === 'missing') return fail(`${path} does not exist`);
  if (data.kind === 'bad') return fail(data.problem);
  let entries = entriesOf(boundNode(data.root, path));
  if (keys.length > 0) {
    const known = new Map(entries);
    const missing = keys.find((key) => !known.has(key));
    if (missing !== undefined)
      return fail(`there is no ${quote(missing)} in ${path}`, suggestion(missing, known.keys()));
    entries = entries.filter(([key]) => keys.includes(key));
  }
  const merged = merge(context, new Map(entries), item, place, path);
  if (merged === 'broken') return merged;
  const loaded = keys.length === 0 ? 'all' : new Set([...(before ?? []), ...keys]);
  return { values: merged.values, imports: new Map([...merged.imports, [path, loaded]]) };
}

function merge(
  context: Context,
  added: ReadonlyMap<string, Bound>,
  at: Range,
  place: VarsPlace,
  from: string,
): ContextResult {
  const taken = place.reserved.find((name) => added.has(name));
  if (taken !== undefined) {
    const message = `${quote(taken)} is the name of the current item here and can't be set by ${place.name}`;
    place.report.add(place.source, at, 'template', message, 'give the variable another name');
    return 'broken';
  }
  const conflicts: string[] = [];
  const values = mergeMaps(context.values, added, '', conflicts);
  for (const conflict of conflicts) {
    const message = `${place.name} sets ${quote(conflict)} again`;
    place.report.add(
      place.source,
      at,
      'template',
      `${message} (${from === 'vars' ? 'a map' : from})`,
      'only maps merge; give it one value',
    );
  }
  return conflicts.length > 0 ? 'broken' : { values, imports: context.imports };
}

function mergeMaps(
  into: ReadonlyMap<string, Bound>,
  added: ReadonlyMap<string, Bound>,
  prefix: string,
  conflicts: string[],
): Map<string, Bound> {
  const result = new Map(into);
  for (const [key, value] of added) {
    const before = into.get(key);
    const path = prefix === '' ? key : `${prefix}.${key}`;
    if (before === undefined) result.set(key, value);
    else if (kindOf(before) === 'map' && kindOf(value) === 'map') {
      const entries = mergeMaps(new Map(entriesOf(before)), new Map(entriesOf(value)), path, conflicts);
      result.set(key, { kind: 'map', entries });
    } else conflicts.push(path);
  }
  return result;
}
