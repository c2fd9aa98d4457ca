import type { ProjectPath, Value } from '@dag/model';
import { toValue } from '../data/value.ts';
import { suggestion } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { ParsingSettings } from '../pipeline.ts';
import type { Entry, Node, Range, ScalarNode } from '../yaml/node.ts';
import { textNode } from '../yaml/node.ts';
import { type Bound, entriesOf, type Finder, kindOf, unwrap } from './bound.ts';
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
  /** The generated stage, for messages: where one item of many fails. */
  readonly label: string | undefined;
  /** Values drawn from files, noted here; undefined notes nothing. */
  readonly used: Map<ProjectPath, Map<string, Value>> | undefined;
}

/** Thrown once a problem is reported: the stage is left out. */
export class TemplateFailure extends Error {}

/** What may stand for a template: any value at the top level, scalars in a stage, and a map as flags in its command. */
export type Place = 'any' | 'scalar' | 'command';

/** A tree with its templates resolved. Nodes keep the place of their template. Throws TemplateFailure. */
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
    return { key: key.kind === 'scalar' ? key : fail(entry.key, 'a list or map can not be a key', scope), value };
  });
  return changed ? { ...node, entries } : node;
}

/** The value that a tree stands for, kept bound to where its parts came from. */
export function bindNode(node: Node, scope: Scope): Bound {
  if (node.kind === 'seq') return { kind: 'seq', items: node.items.map((item) => bindNode(item, scope)) };
  if (node.kind === 'map') {
    const entries = node.entries.map(({ key, value }): [string, Bound] => {
      const resolved = resolveNode(key, 'scalar', scope);
      const name = resolved.kind === 'scalar' ? formatScalar(resolved) : fail(key, 'a key must be a string', scope);
      return [name, bindNode(value, scope)];
    });
    return { kind: 'map', entries: new Map(entries) };
  }
  if (typeof node.value === 'string') {
    const templates = scope.finder.templates(node.value);
    const only = templates[0];
    if (only && templates.length === 1 && only.text === node.value) return select(only, node, scope);
    const resolved = resolveNode(node, 'scalar', scope);
    return { kind: 'node', node: resolved, source: undefined, path: '', inline: true };
  }
  return { kind: 'node', node, source: undefined, path: '', inline: true };
}

/** Reports every malformed template of a tree. Returns whether all are well formed. */
export function checkTemplates(node: Node, source: Source, report: Report): boolean {
  if (node.kind === 'seq') return node.items.map((item) => checkTemplates(item, source, report)).every(Boolean);
  if (node.kind === 'map') {
    return node.entries
      .map(({ key, value }) => checkTemplates(key, source, report) && checkTemplates(value, source, report))
      .every(Boolean);
  }
  if (typeof node.value !== 'string') return true;
  let sound = true;
  for (const template of findTemplates(node.value)) {
    const problem = expressionProblem(template.inner);
    if (problem === undefined) continue;
    sound = false;
    report.add(source, placeOf(template, node, source), 'template', `${template.text}: ${problem}`);
  }
  return sound;
}

function resolveText(node: ScalarNode, text: string, place: Place, scope: Scope): Node {
  const at: Range = node;
  const templates = scope.finder.templates(text);
  const only = templates[0];
  if (only && templates.length === 1 && only.text === text && place !== 'command') {
    const bound = select(only, node, scope);
    if (kindOf(bound) !== 'scalar' && place !== 'any') return refuse(bound, only, node, scope);
    const value = unwrap(bound);
    return value.kind === 'scalar'
      ? { ...value, start: at.start, end: at.end }
      : { ...value, start: at.start, end: at.end };
  }
  let result = '';
  let index = 0;
  for (const template of templates) {
    const bound = select(template, node, scope);
    result += text.slice(index, template.index) + format(bound, template, node, place, templates, text, scope);
    index = template.index + template.text.length;
  }
  return textNode(unescapeTemplates(result + text.slice(index)), at);
}

function format(
  bound: Bound,
  template: Template,
  node: ScalarNode,
  place: Place,
  templates: readonly Template[],
  text: string,
  scope: Scope,
): string {
  const value = unwrap(bound);
  if (value.kind === 'scalar') return formatScalar(value);
  if (value.kind !== 'map' || place !== 'command') return refuse(bound, template, node, scope);
  if (templates.length === 1 && template.text === text) {
    return failAt(template, node, 'a map alone is no command', scope, 'write the command before it');
  }
  try {
    return formatFlags(value, scope.parsing);
  } catch (error) {
    if (!(error instanceof UnpackProblem)) throw error;
    return failAt(
      template,
      node,
      `${template.text}: ${quote(error.message)} holds a list in a list, which has no flags`,
      scope,
    );
  }
}

function refuse(bound: Bound, template: Template, node: ScalarNode, scope: Scope): never {
  const kind = kindOf(bound) === 'seq' ? 'a list' : 'a map';
  const hint = kind === 'a map' ? 'name one of its keys; only `cmd` takes a whole map' : 'name one of its items: `[0]`';
  return failAt(template, node, `${template.text} is ${kind}, which can't stand here`, scope, hint);
}

/** The value that a template names; noted as used. */
function select(template: Template, node: ScalarNode, scope: Scope): Bound {
  const problem = expressionProblem(template.inner);
  if (problem !== undefined) return failAt(template, node, `${template.text}: ${problem}`, scope);
  const path = scope.finder.path(template.inner);
  let bound: Bound | undefined;
  for (const [i, part] of path.entries()) {
    const parent: Bound | undefined = bound;
    bound =
      parent === undefined
        ? (scope.current.get(part) ?? scope.context.values.get(part))
        : scope.finder.child(parent, part);
    if (bound !== undefined) continue;
    const near = suggestion(part, parent === undefined ? names(scope) : entriesOf(parent).map(([key]) => key));
    const where = i === 0 ? '' : ` in ${quote(path.slice(0, i).join('.'))}`;
    return failAt(template, node, `${template.text}: there is no ${quote(part)}${where}`, scope, near);
  }
  if (bound === undefined) return failAt(template, node, `${template.text} names nothing`, scope);
  note(bound, scope);
  return bound;
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

function failAt(template: Template, node: ScalarNode, message: string, scope: Scope, hint?: string): never {
  return fail(placeOf(template, node, scope.source), message, scope, hint);
}

function fail(at: Range, message: string, scope: Scope, hint?: string): never {
  const suffix = scope.label === undefined ? '' : ` (for ${scope.label})`;
  scope.report.add(scope.source, at, 'template', `${message}${suffix}`, hint);
  throw new TemplateFailure(message);
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
