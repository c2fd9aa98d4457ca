import { suggestion } from '../diagnostic/nearest.ts';
import { quote } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import type { MapNode, Node, ScalarNode } from '../yaml/node.ts';
import { FORMER_KEYS, SECRET_KEYS } from './definition.ts';
import { describe, type Shape } from './shape.ts';

/** Where a check stands, and where problems go. */
export interface CheckContext {
  readonly source: Source;
  readonly report: Report;
  /** Whether `${…}` may stand for any scalar: false once they are resolved. */
  readonly templates: boolean;
}

/**
 * Checks a tree against a shape and reports every difference.
 * @param name what the value is called in messages, as `stages.train.outs`.
 * @returns whether it fits.
 */
export function checkShape(node: Node, shape: Shape, name: string, context: CheckContext): boolean {
  switch (shape.type) {
    case 'any':
      return true;
    case 'list': {
      if (node.kind !== 'seq') return wrongType(node, shape, name, context);
      let fits = true;
      for (const item of node.items) fits = checkShape(item, shape.of, name, context) && fits;
      return fits;
    }
    case 'map':
      return node.kind === 'map' ? checkMap(node, shape, name, context) : wrongType(node, shape, name, context);
    case 'table':
      return node.kind === 'map' ? checkTable(node, shape, name, context) : wrongType(node, shape, name, context);
    case 'either': {
      let match: Shape | undefined;
      for (const option of shape.shapes) if (match === undefined && sameKind(node, option, context)) match = option;
      return match === undefined ? wrongType(node, shape, name, context) : checkShape(node, match, name, context);
    }
    default:
      return node.kind === 'scalar' ? checkScalar(node, shape, name, context) : wrongType(node, shape, name, context);
  }
}

function sameKind(node: Node, shape: Shape, context: CheckContext): boolean {
  switch (shape.type) {
    case 'any':
      return true;
    case 'list':
      return node.kind === 'seq';
    case 'map':
    case 'table':
      return node.kind === 'map';
    case 'either':
      return shape.shapes.some((option) => sameKind(node, option, context));
    case 'null':
      return node.kind === 'scalar' && node.value === null;
    case 'text':
      return node.kind === 'scalar' && typeof node.value === 'string';
    case 'boolean':
      return node.kind === 'scalar' && typeof node.value === 'boolean';
    default:
      return node.kind === 'scalar' && (typeof node.value === 'number' || typeof node.value === 'bigint');
  }
}

function checkScalar(node: ScalarNode, shape: Shape, name: string, context: CheckContext): boolean {
  const { value } = node;
  if (context.templates && typeof value === 'string' && value.includes('${')) return true;
  switch (shape.type) {
    case 'text':
      if (typeof value !== 'string') {
        if (shape.words && !context.templates) return true;
        break;
      }
      if (shape.values === undefined || shape.values.includes(value)) return true;
      context.report.add(
        context.source,
        node,
        'bad-value',
        `${name} is ${describe(shape)}, not ${quote(value)}`,
        suggestion(value, shape.values),
      );
      return false;
    case 'boolean':
      if (typeof value === 'boolean') return true;
      break;
    case 'null':
      if (value === null) return true;
      break;
    case 'number':
      if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return true;
      break;
    case 'integer':
      if (typeof value === 'number' && Number.isInteger(value) && value >= shape.least) return true;
      break;
  }
  return wrongType(node, shape, name, context);
}

function checkMap(node: MapNode, shape: Shape & { type: 'map' }, name: string, context: CheckContext): boolean {
  let fits = true;
  for (const entry of node.entries) {
    const key = entry.key.value;
    const known = typeof key === 'string' && Object.hasOwn(shape.fields, key) ? shape.fields[key] : undefined;
    if (known === undefined) {
      fits = false;
      unknownKey(entry.key, Object.keys(shape.fields), name, context);
    } else {
      fits = checkShape(entry.value, known.shape, name === '' ? `${key}` : `${name}.${key}`, context) && fits;
    }
  }
  for (const key of shape.required) {
    if (node.entries.some((entry) => entry.key.value === key)) continue;
    fits = false;
    context.report.add(context.source, node, 'wrong-type', `${name} lacks the key ${quote(key)}`);
  }
  return fits;
}

function checkTable(node: MapNode, shape: Shape & { type: 'table' }, name: string, context: CheckContext): boolean {
  let fits = true;
  for (const entry of node.entries) {
    const key = entry.key.value;
    if (typeof key !== 'string' && shape.of.type !== 'any') {
      fits = false;
      const hint = `write it in quotes: '${key}'`;
      context.report.add(
        context.source,
        entry.key,
        'wrong-type',
        `${shape.what} must be a string, not ${say(entry.key)}`,
        hint,
      );
    } else fits = checkShape(entry.value, shape.of, `${name}.${key}`, context) && fits;
  }
  return fits;
}

/** Reports a key that nobody knows, with the nearest known one. */
export function unknownKey(key: ScalarNode, known: readonly string[], name: string, context: CheckContext): void {
  const word = String(key.value);
  const where = name === '' ? '' : ` in ${name}`;
  if (SECRET_KEYS.includes(word)) {
    context.report.addSecret(
      context.source,
      key,
      'unknown-key',
      `${quote(word)}${where}: a secret can't stand in a file`,
    );
    return;
  }
  let hint = Object.hasOwn(FORMER_KEYS, word) ? FORMER_KEYS[word] : suggestion(word, known);
  hint ??= `known keys: ${known.join(', ')}`;
  context.report.add(context.source, key, 'unknown-key', `unknown key ${quote(word)}${where}`, hint);
}

function wrongType(node: Node, shape: Shape, name: string, context: CheckContext): boolean {
  const what = describe(shape);
  let hint: string | undefined;
  const wantsText = shape.type === 'text' || (shape.type === 'either' && shape.shapes.some((s) => s.type === 'text'));
  if (node.kind === 'scalar' && node.value === null) hint = 'give it a value, or take the line out';
  else if (node.kind === 'scalar' && wantsText) hint = `write it in quotes: '${node.value}'`;
  else if (node.kind === 'scalar' && shape.type === 'list') hint = 'put it on a line of its own, behind `- `';
  context.report.add(
    context.source,
    node,
    'wrong-type',
    `${name || 'a pipeline file'} must be ${what}, not ${say(node)}`,
    hint,
  );
  return false;
}

/** A value in the user's words. */
export function say(node: Node): string {
  if (node.kind === 'seq') return 'a list';
  if (node.kind === 'map') return 'a map';
  if (node.value === null) return 'empty';
  if (typeof node.value === 'string') return `the string ${quote(node.value)}`;
  return typeof node.value === 'boolean' ? `${node.value}` : `the number ${node.value}`;
}
