import { suggestion } from '../diagnostic/nearest.ts';
import { quote, say } from '../diagnostic/quote.ts';
import type { Report } from '../diagnostic/report.ts';
import type { Source } from '../diagnostic/source.ts';
import { type Entry, isUnknown, type MapNode, type Node, type ScalarNode, unknownNode } from '../yaml/node.ts';
import { SECRET_KEYS } from './definition.ts';
import { keyHint, lackHint, meantKey, typeHint } from './hint.ts';
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
 * @returns the tree where all of it fits; else one of what fits: what is wrong is an unknown node in it, and a key that
 * is only misspelt counts as the one that was meant.
 */
export function fitShape(node: Node, shape: Shape, name: string, context: CheckContext): Node {
  if (isUnknown(node)) return node;
  switch (shape.type) {
    case 'any':
      return node;
    case 'list': {
      if (node.kind !== 'seq') return wrongType(node, shape, name, context);
      const items = mapSame(node.items, (item, i) =>
        fitShape(item, shape.of, item.kind === 'map' ? name : `${name}[${i}]`, context),
      );
      return items === node.items ? node : { ...node, items };
    }
    case 'map':
      return node.kind === 'map' ? fitMap(node, shape, name, context) : wrongType(node, shape, name, context);
    case 'table':
      return node.kind === 'map' ? fitTable(node, shape, name, context) : wrongType(node, shape, name, context);
    case 'either': {
      const match = shape.shapes.find((option) => sameKind(node, option, context));
      if (match === undefined || isOtherWord(node, match, context)) return wrongType(node, shape, name, context);
      return fitShape(node, match, name, context);
    }
    case 'null':
      return isNothing(node, shape.empty === true) ? node : wrongType(node, shape, name, context);
    default:
      return node.kind === 'scalar' ? fitScalar(node, shape, name, context) : wrongType(node, shape, name, context);
  }
}

/** A list with each member changed; the list itself where none is. */
function mapSame<T>(list: readonly T[], change: (member: T, index: number) => T): readonly T[] {
  let changed: T[] | undefined;
  for (let i = 0; i < list.length; i++) {
    const member = list[i] as T;
    const next = change(member, i);
    if (next !== member) changed ??= [...list];
    if (changed) changed[i] = next;
  }
  return changed ?? list;
}

function isNothing(node: Node, empty: boolean): boolean {
  if (node.kind === 'map') return empty && node.entries.length === 0;
  return node.kind === 'scalar' && (node.value === null || (empty && (node.value === '' || node.value === false)));
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
      return isNothing(node, shape.empty === true);
    case 'text':
      return node.kind === 'scalar' && typeof node.value === 'string';
    case 'boolean':
      return node.kind === 'scalar' && typeof node.value === 'boolean';
    default:
      return node.kind === 'scalar' && (typeof node.value === 'number' || typeof node.value === 'bigint');
  }
}

/** Text where only certain words may stand, none of which it is. */
function isOtherWord(node: Node, shape: Shape, context: CheckContext): boolean {
  if (shape.type !== 'text' || shape.values === undefined || node.kind !== 'scalar') return false;
  const word = String(node.value);
  return !shape.values.includes(word) && !(context.templates && word.includes('${'));
}

function fitScalar(node: ScalarNode, shape: Shape, name: string, context: CheckContext): Node {
  const { value } = node;
  if (context.templates && typeof value === 'string' && value.includes('${')) return node;
  switch (shape.type) {
    case 'text':
      if (typeof value !== 'string') {
        if (shape.words && !context.templates) return node;
        break;
      }
      if (shape.values === undefined || shape.values.includes(value)) return node;
      break;
    case 'boolean':
      if (typeof value === 'boolean') return node;
      break;
    case 'number':
      if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return node;
      break;
    case 'integer':
      if (typeof value === 'number' && Number.isInteger(value) && value >= shape.least) return node;
      break;
  }
  return wrongType(node, shape, name, context);
}

function fitMap(node: MapNode, shape: Shape & { type: 'map' }, name: string, context: CheckContext): Node {
  const { fields } = shape;
  const entries: Entry[] = [];
  let changed = false;
  let hidden = false;
  for (const entry of node.entries) {
    const key = entry.key.value;
    const known = typeof key === 'string' && Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (known === undefined) {
      changed = true;
      hidden ||= isUnknown(entry.key);
      if (isUnknown(entry.key)) continue;
      unknownKey(entry, shape, name, context);
      const meant = recovered(entry, node, shape, context);
      if (meant !== undefined) entries.push(meant);
      continue;
    }
    const value = fitShape(entry.value, known.shape, name === '' ? `${key}` : `${name}.${key}`, context);
    changed ||= value !== entry.value;
    entries.push(value === entry.value ? entry : { key: entry.key, value });
  }
  for (const key of shape.required) {
    if (hidden || entries.some((entry) => entry.key.value === key)) continue;
    const at = node.flow || node.entries[0] === undefined ? node : node.entries[0].key;
    const hint = lackHint(key, node);
    context.report.add(context.source, at, 'wrong-type', `${name} lacks the key ${quote(key)}`, hint);
    return unknownNode(node);
  }
  return changed ? { ...node, entries } : node;
}

/** A misspelt entry under the key that was meant, where that is not there too; its value as far as it fits there. */
function recovered(
  entry: Entry,
  node: MapNode,
  shape: Shape & { type: 'map' },
  context: CheckContext,
): Entry | undefined {
  const meant = meantKey(String(entry.key.value), shape.fields);
  const field = meant === undefined ? undefined : shape.fields[meant];
  if (meant === undefined || field === undefined) return undefined;
  if (node.entries.some((other) => other.key.value === meant)) return undefined;
  let wrong = false;
  const note = () => {
    wrong = true;
  };
  const silent = { add: note, addSecret: note, has: () => false, count: 0 };
  const value = fitShape(entry.value, field.shape, meant, { ...context, report: silent });
  return { key: { ...entry.key, value: meant }, value: wrong ? unknownNode(entry.value) : value };
}

function fitTable(node: MapNode, shape: Shape & { type: 'table' }, name: string, context: CheckContext): Node {
  if (flagsBeside(node, shape.of, name, context)) return unknownNode(node);
  const entries = mapSame(node.entries, (entry) => {
    const key = entry.key.value;
    if (isUnknown(entry.key)) return entry;
    if (typeof key !== 'string' && shape.of.type !== 'any') {
      const message = `${shape.what} must be a string, not ${say(entry.key)}`;
      const hint = `write it in quotes: \`'${key}'\``;
      context.report.add(context.source, entry.key, 'wrong-type', name === '' ? message : `${name}: ${message}`, hint);
      return { key: unknownNode(entry.key), value: unknownNode(entry.value) };
    }
    const value = fitShape(entry.value, shape.of, `${name}.${key}`, context);
    return value === entry.value ? entry : { key: entry.key, value };
  });
  return entries === node.entries ? node : { ...node, entries };
}

/** Reports flags of a path that stand beside it, as `- model:` and `cache: false` in the same column. */
function flagsBeside(node: MapNode, flags: Shape, name: string, context: CheckContext): boolean {
  const [path, first] = node.entries;
  if (flags.type !== 'map' || path === undefined || first === undefined || path.value.kind !== 'scalar') return false;
  const rest = node.entries.slice(1).every(({ key }) => Object.hasOwn(flags.fields, String(key.value)));
  if (!rest || path.value.value !== null || isUnknown(path.value)) return false;
  const message = `${name}: ${quote(first.key.value)} stands beside ${quote(path.key.value)}, not in it`;
  context.report.add(context.source, first.key, 'wrong-type', message, `indent it deeper than \`${path.key.value}:\``);
  return true;
}

/** Reports a key that nobody knows, with the nearest known one, or where it belongs. */
function unknownKey(entry: Entry, shape: Shape & { type: 'map' }, name: string, context: CheckContext): void {
  const { key } = entry;
  const word = String(key.value);
  const where = name === '' ? '' : ` in ${name}`;
  const { report, source } = context;
  if (SECRET_KEYS.includes(word)) {
    report.addSecret(source, key, 'unknown-key', `${quote(word)}${where}: a secret can't stand in a file`);
    return;
  }
  report.add(source, key, 'unknown-key', `unknown key ${quote(word)}${where}`, keyHint(entry, shape.fields));
}

function wrongType(node: Node, shape: Shape, name: string, context: CheckContext): Node {
  const { report, source } = context;
  const words = wordsOf(shape);
  const word = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
  const asWord = words.length > 0 && word !== undefined;
  const near = asWord ? suggestion(word, words) : undefined;
  const said = asWord ? quote(word) : say(node);
  const message = `${name || 'a pipeline file'} must be ${describe(shape)}, not ${said}`;
  const drawn = !context.templates && source.text.slice(node.start, node.end).includes('${');
  const hint = drawn ? DRAWN : (near ?? (asWord ? undefined : typeHint(node, shape, name)));
  report.add(source, node, asWord ? 'bad-value' : 'wrong-type', message, hint);
  return unknownNode(node);
}

const DRAWN = 'the template drew this value: mend it where that is written';

/** The words that may stand for a value, where only certain ones may. */
function wordsOf(shape: Shape): readonly string[] {
  if (shape.type === 'either') return shape.shapes.flatMap(wordsOf);
  return shape.type === 'text' ? (shape.values ?? []) : [];
}
