import { type AnyPath, baseName, resolvePath } from '@dag/model';
import type { DataFiles } from '../data/read.ts';
import { nearest, suggestionOrAll } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import { named } from '../diagnostic/report.ts';
import { anyPath, type PathsPlace } from '../stage/paths.ts';
import { isUnknown, type Node, type Range } from '../yaml/node.ts';
import { type Bound, boundNode, entriesOf, kindOf } from './bound.ts';
import { hasTemplate } from './expression.ts';

/** The values that templates of a file, or of one stage, can draw on. */
export interface Context {
  readonly values: ReadonlyMap<string, Bound>;
  /** Files loaded so far: all of one, or some of its keys. */
  readonly imports: ReadonlyMap<AnyPath, 'all' | ReadonlySet<string>>;
  /** Something could not be loaded, which is reported: what is not among the values may yet be meant by someone. */
  readonly incomplete: boolean;
}

export const EMPTY_CONTEXT: Context = { values: new Map(), imports: new Map(), incomplete: false };

/** Where vars are loaded, and where problems go. */
export interface VarsPlace extends PathsPlace {
  readonly files: DataFiles;
  /** What the vars are called in messages: `vars`, or `stages.train.vars`. */
  readonly name: string;
  /** Names that vars must leave alone: item and key, inside a foreach or matrix. */
  readonly reserved: readonly string[];
}

/** The context of a file: params.yaml beside it, then its `vars:`. */
export function fileContext(vars: Node | undefined, place: VarsPlace): Context {
  let context: Context = EMPTY_CONTEXT;
  const defaults = resolvePath(place.folder, 'params.yaml');
  if (defaults !== undefined) {
    const data = place.files.read(defaults);
    if (data.kind === 'bad') {
      if (!place.report.has(defaults)) {
        place.report.add({ file: defaults, text: '' }, { start: 0, end: 0 }, 'param', data.problem);
      }
      context = { ...EMPTY_CONTEXT, incomplete: true };
    }
    if (data.kind === 'data') {
      const values = new Map(entriesOf(boundNode(data.root, defaults)));
      context = { values, imports: new Map([[defaults, 'all']]), incomplete: false };
    }
  }
  return addVars(context, vars, place);
}

/**
 * Adds a `vars:` list to a context: names of files, `file:key,key`, or maps. What is there already can't be redefined. Of
 * what has a problem, which is reported, the rest is taken.
 */
export function addVars(context: Context, vars: Node | undefined, place: VarsPlace): Context {
  if (vars?.kind !== 'seq') return context;
  let result = context;
  for (const item of vars.items) {
    if (isUnknown(item)) result = { ...result, incomplete: true };
    else if (holdsTemplate(item)) {
      place.report.add(place.source, item, 'template', `${place.name} can't hold \${…}`, 'write the value itself');
      result = { ...result, incomplete: true };
    } else if (item.kind === 'scalar') result = addFile(result, item, place);
    else result = merge(result, new Map(entriesOf(boundNode(item))), item, place, 'vars');
  }
  return result;
}

function holdsTemplate(node: Node): boolean {
  if (node.kind === 'scalar') return typeof node.value === 'string' && hasTemplate(node.value);
  if (node.kind === 'seq') return node.items.some(holdsTemplate);
  return node.entries.some((entry) => holdsTemplate(entry.key) || holdsTemplate(entry.value));
}

function addFile(context: Context, item: Node & { kind: 'scalar' }, place: VarsPlace): Context {
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
  const fail = (message: string, hint?: string): Context => {
    place.report.add(place.source, item, 'param', `${place.name}: ${message}`, hint);
    return { ...context, incomplete: true };
  };
  const path = anyPath(name, item, { ...place, report: named(place.report, place.name) });
  if (path === undefined) return { ...context, incomplete: true };
  const before = context.imports.get(path);
  if (before === 'all' && keys.length === 0) return context;
  const loaded = `of ${quote(path)} is loaded already`;
  if (before === 'all') {
    fail(`${quote(written)} can't be loaded in part: all ${loaded}`, 'take this line out');
    return context;
  }
  if (before !== undefined && (keys.length === 0 || keys.some((key) => before.has(key)))) {
    return fail(`${quote(written)} can't be loaded: part ${loaded}`, 'name its keys on one line, each once');
  }
  const data = place.files.read(path);
  if (data.kind === 'missing') {
    const near = nearest(baseName(path), place.files.beside(path));
    const folder = name.slice(0, name.lastIndexOf('/') + 1);
    const hint =
      near === undefined ? 'write that file, or take this line out' : `did you mean ${quote(folder + near)}?`;
    return fail(`the file ${quote(path)} does not exist`, hint);
  }
  if (data.kind === 'bad') {
    // Where the file itself says what is wrong with it, it need not be said here.
    return place.report.has(path) ? { ...context, incomplete: true } : fail(data.problem);
  }
  let entries = entriesOf(boundNode(data.root, path));
  if (keys.length > 0) {
    const known = new Map(entries);
    const missing = keys.find((key) => !known.has(key));
    if (missing !== undefined) {
      return fail(`there is no ${quote(missing)} in ${path}`, suggestionOrAll(missing, known.keys()));
    }
    entries = entries.filter(([key]) => keys.includes(key));
  }
  const merged = merge(context, new Map(entries), item, place, path);
  const taken = keys.length === 0 ? 'all' : new Set([...(before ?? []), ...keys]);
  return { ...merged, imports: new Map([...merged.imports, [path, taken]]) };
}

/** Values beside those that are there; of a name with two values the first stays, and the second is reported. */
function merge(
  context: Context,
  added: ReadonlyMap<string, Bound>,
  at: Range,
  place: VarsPlace,
  from: string,
): Context {
  const taken = place.reserved.find((name) => added.has(name));
  if (taken !== undefined) {
    const message = `${quote(taken)} is the name of the current item here and can't be set by ${place.name}`;
    place.report.add(place.source, at, 'template', message, 'give the variable another name');
    return { ...context, incomplete: true };
  }
  const conflicts: string[] = [];
  const values = mergeMaps(context.values, added, '', conflicts);
  for (const conflict of conflicts) {
    const first = context.values.get(conflict.split('.')[0] ?? '');
    const before = first?.kind === 'node' && first.source !== undefined ? `, which ${first.source} sets` : '';
    const again = `${place.name} sets ${quote(conflict)}${before === '' ? ' again' : `${before} already`}`;
    const message = from === 'vars' ? again : `${again} (in ${from})`;
    place.report.add(place.source, at, 'template', message, 'only maps merge; give it one value');
  }
  return { ...context, values };
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
