import type { AnyPath, Value } from '@dag/model';
import { toValue } from '../data/value.ts';
import { nearest, suggestionOrAll } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { ParsingSettings } from '../pipeline.ts';
import { type Entry, isUnknown, type Node, type Range, type ScalarNode, textNode, unknownNode } from '../yaml/node.ts';
import { type Bound, entriesOf, type Finder, inlineNode, itemsOf, kindOf, unwrap } from './bound.ts';
import type { Context } from './context.ts';
import { expressionProblem, findTemplates, type Template, unescapeTemplates } from './expression.ts';
import { formatFlags, formatScalar, UnpackProblem } from './format.ts';

/** Everything that resolving the templates of one stage needs. */
export interface Scope {
  readonly context: Context;
  /** `item` and `key`, over the context. */
  readonly current: ReadonlyMap<string, Bound>;
  readonly finder: Finder;
  readonly parsing: ParsingSettings;
  readonly source: Source;
  readonly report: Report;
  /** What is resolved, in messages: `stages.train.cmd`. Set for each field in turn. */
  name: string;
  /** Values drawn from files, noted here; undefined notes nothing. */
  readonly used: Map<AnyPath, Map<string, Value>> | undefined;
}

/** What may stand for a template: any value at the top level, scalars in a stage, and a map as flags in its command. */
export type Place = 'any' | 'scalar' | 'command';

/**
 * A tree with its templates resolved. Nodes keep the place of their template. All problems are reported, and leave unknown
 * nodes.
 */
export function resolveNode(node: Node, place: Place, scope: Scope): Node {
  if (node.kind === 'scalar') {
    return typeof node.value === 'string' && node.value.includes('${')
      ? resolveText(node, node.value, place, scope)
      : node;
  }
  let changed = false;
  if (node.kind === 'seq') {
    const items = node.items.map((item) => {
      const resolved = resolveNode(item, place, scope);
      changed ||= resolved !== item;
      return resolved;
    });
    return changed ? { ...node, items } : node;
  }
  const entries = node.entries.map((entry): Entry => {
    const key = resolveNode(entry.key, place === 'command' ? 'scalar' : place, scope);
    const value = resolveNode(entry.value, place, scope);
    if (key === entry.key && value === entry.value) return entry;
    changed = true;
    return { key: key.kind === 'scalar' ? key : fail(entry.key, "a list or a map can't be a key", scope), value };
  });
  return changed ? { ...node, entries } : node;
}

/** The value that a tree stands for, kept bound to where its parts came from. Problems leave unknown nodes. */
export function bindNode(node: Node, scope: Scope): Bound {
  if (node.kind === 'seq') return { kind: 'seq', items: node.items.map((item) => bindNode(item, scope)) };
  if (node.kind === 'map') {
    const entries = node.entries.flatMap(({ key, value }): [string, Bound][] => {
      const name = bindKey(key, scope);
      const bound = bindNode(value, scope);
      return name === undefined ? [] : [[name, bound]];
    });
    return { kind: 'map', entries: new Map(entries) };
  }
  if (typeof node.value === 'string') {
    const templates = scope.finder.templates(node.value);
    const only = templates[0];
    if (only && templates.length === 1 && only.text === node.value)
      return select(only, node, scope) ?? inlineNode(unknownNode(node));
    const resolved = resolveNode(node, 'scalar', scope);
    return inlineNode(resolved);
  }
  return inlineNode(node);
}

/** A key of a map as text, its templates resolved; undefined where that is a problem, which is reported. */
export function bindKey(key: ScalarNode, scope: Scope): string | undefined {
  const resolved = resolveNode(key, 'scalar', scope);
  return resolved.kind === 'scalar' && !isUnknown(resolved) ? formatScalar(resolved) : undefined;
}

/** Reports every malformed template of a tree; resolving passes over them. */
export function checkTemplates(node: Node, source: Source, report: Report): void {
  if (node.kind === 'seq') for (const item of node.items) checkTemplates(item, source, report);
  else if (node.kind === 'map') {
    for (const { key, value } of node.entries) {
      checkTemplates(key, source, report);
      checkTemplates(value, source, report);
    }
  } else if (typeof node.value === 'string') {
    for (const template of findTemplates(node.value)) {
      const problem = expressionProblem(template.inner);
      if (problem !== undefined) {
        report.add(source, placeOf(template, node, source), 'template', `${template.text}: ${problem}`);
      }
    }
  }
}

function resolveText(node: ScalarNode, text: string, place: Place, scope: Scope): Node {
  const at: Range = node;
  const templates = scope.finder.templates(text);
  const only = templates[0];
  if (only && templates.length === 1 && only.text === text && place !== 'command') {
    const bound = select(only, node, scope);
    if (bound === undefined) return unknownNode(at);
    if (kindOf(bound) !== 'scalar' && place !== 'any') return refuse(bound, only, node, scope);
    const value = unwrap(bound);
    return value.kind === 'scalar'
      ? { ...value, start: at.start, end: at.end }
      : { ...value, start: at.start, end: at.end };
  }
  let result = '';
  let index = 0;
  let whole = true;
  for (const template of templates) {
    const bound = select(template, node, scope);
    const word = bound === undefined ? undefined : format(bound, template, node, place, templates, text, scope);
    whole &&= word !== undefined;
    result += `${text.slice(index, template.index)}${word}`;
    index = template.index + template.text.length;
  }
  return whole ? textNode(unescapeTemplates(result + text.slice(index)), at) : unknownNode(at);
}

/** A value inside a longer text; undefined where it can't stand there, which is reported. */
function format(
  bound: Bound,
  template: Template,
  node: ScalarNode,
  place: Place,
  templates: readonly Template[],
  text: string,
  scope: Scope,
): string | undefined {
  const value = unwrap(bound);
  if (value.kind === 'scalar') return value.unknown === true ? undefined : formatScalar(value);
  if (value.kind !== 'map' || place !== 'command') {
    refuse(bound, template, node, scope);
    return undefined;
  }
  if (templates.length === 1 && template.text === text) {
    failAt(template, node, `${template.text}: a map alone is no command`, scope, 'write the command before it');
    return undefined;
  }
  try {
    return formatFlags(value, scope.parsing);
  } catch (error) {
    if (!(error instanceof UnpackProblem)) throw error;
    const message = `${template.text}: ${quote(error.message)} holds a list in a list, which has no flags`;
    failAt(template, node, message, scope);
    return undefined;
  }
}

function refuse(bound: Bound, template: Template, node: ScalarNode, scope: Scope): ScalarNode {
  const kind = kindOf(bound) === 'seq' ? 'a list' : 'a map';
  const first = kind === 'a list' ? '[0]' : `.${entriesOf(bound)[0]?.[0] ?? 'key'}`;
  const one = `\`\${${template.inner.trim()}${first}}\``;
  const hint =
    kind === 'a map' ? `name one of its keys: ${one}; only \`cmd\` takes a whole map` : `name one of its items: ${one}`;
  return failAt(template, node, `${template.text} is ${kind}, which can't stand here`, scope, hint);
}

/** The value that a template names; noted as used. Undefined where there is none, which is reported. */
function select(template: Template, node: ScalarNode, scope: Scope): Bound | undefined {
  if (expressionProblem(template.inner) !== undefined) return undefined;
  const path = scope.finder.path(template.inner);
  let bound: Bound | undefined;
  for (const [i, part] of path.entries()) {
    const parent: Bound | undefined = bound;
    bound =
      parent === undefined
        ? (scope.current.get(part) ?? scope.context.values.get(part))
        : scope.finder.child(parent, part);
    if (bound?.kind === 'node' && isUnknown(bound.node)) return undefined;
    if (bound === undefined) {
      reportAbsent(parent, path, i, template, node, scope);
      return undefined;
    }
  }
  if (bound !== undefined) note(bound, scope);
  return bound;
}

/** Says that a name leads nowhere; unless it may well be in a file that could not be read. */
function reportAbsent(
  parent: Bound | undefined,
  path: readonly string[],
  i: number,
  template: Template,
  node: ScalarNode,
  scope: Scope,
): void {
  if (scope.context.incomplete && !scope.current.has(path[0] ?? '')) return;
  const part = path[i] ?? '';
  const known = parent === undefined ? names(scope) : entriesOf(parent).map(([key]) => key);
  const where = i === 0 ? '' : ` in ${quote(path.slice(0, i).join('.'))}`;
  let hint = suggestionOrAll(part, known);
  if (parent === undefined && known.length === 0) hint = 'write it into params.yaml, or under `vars:`';
  if (parent === undefined && isShells(template.inner, part, known) && scope.name.endsWith('.cmd'))
    hint = `where the shell is to read it, write \`\\${template.text}\``;
  else if (parent !== undefined && kindOf(parent) === 'seq')
    hint = `it is a list of ${itemsOf(parent).length}: count from 0`;
  else if (parent !== undefined && kindOf(parent) === 'scalar') hint = 'it is a single value, with nothing inside';
  failAt(template, node, `${template.text}: there is no ${quote(part)}${where}`, scope, hint);
}

/** Whether `${…}` is more likely the shell's: an expansion that only shells have, or a name in capitals like no other. */
function isShells(inner: string, name: string, known: readonly string[]): boolean {
  const written = inner.trim();
  if (/^[#!@*?$\d]|:[-=+?]|[%#^,@]|\/|\[[@*]\]/.test(written)) return true;
  return /^[A-Z_][A-Z\d_]*$/.test(written) && nearest(name, known) === undefined;
}

function names(scope: Scope): string[] {
  return [...scope.current.keys(), ...scope.context.values.keys()];
}

function note(bound: Bound, scope: Scope): void {
  if (scope.used === undefined || bound.kind !== 'node' || bound.source === undefined || bound.node.kind === 'map')
    return;
  const values = scope.used.get(bound.source) ?? new Map<string, Value>();
  values.set(bound.path, toValue(bound.node));
  scope.used.set(bound.source, values);
}

function failAt(template: Template, node: ScalarNode, message: string, scope: Scope, hint?: string): ScalarNode {
  return fail(placeOf(template, node, scope.source), message, scope, hint);
}

function fail(at: Range, message: string, scope: Scope, hint?: string): ScalarNode {
  scope.report.add(scope.source, at, 'template', `${scope.name}: ${message}`, hint);
  return unknownNode(at);
}

/** Where a template stands in the file: inside its scalar, or the scalar where that is written with escapes. */
function placeOf(template: Template, node: ScalarNode, source: Source): Range {
  const written = source.text.slice(node.start, node.end);
  let nth = 0;
  const { value } = node;
  if (typeof value === 'string') {
    for (let i = value.indexOf(template.text); i !== -1 && i < template.index; i = value.indexOf(template.text, i + 1))
      nth++;
  }
  let at = written.indexOf(template.text);
  for (; nth > 0 && at !== -1; nth--) at = written.indexOf(template.text, at + 1);
  if (at === -1) return node;
  return { start: node.start + at, end: node.start + at + template.text.length };
}
