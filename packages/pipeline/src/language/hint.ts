import { nearest } from '../diagnostic/nearest.ts';
import { type Entry, isUnknown, type MapNode, type Node } from '../yaml/node.ts';
import { FORMER_KEYS, OTHER_WORDS, PIPELINE_FIELDS, STAGE_FIELDS } from './definition.ts';
import type { Fields, Shape } from './shape.ts';

/** The key that an unknown one stands for: another word for it, or the nearest. */
export function meantKey(word: string, fields: Fields): string | undefined {
  if (Object.hasOwn(FORMER_KEYS, word)) return undefined;
  const other = Object.hasOwn(OTHER_WORDS, word.toLowerCase()) ? OTHER_WORDS[word.toLowerCase()] : undefined;
  if (other !== undefined && Object.hasOwn(fields, other)) return other;
  return belongs(word, fields) === undefined ? nearest(word, Object.keys(fields)) : undefined;
}

/** What to write instead of an unknown key, or where it belongs. */
export function keyHint({ key }: Entry, fields: Fields): string {
  const word = String(key.value);
  const former = Object.hasOwn(FORMER_KEYS, word) ? FORMER_KEYS[word] : undefined;
  const meant = meantKey(word, fields);
  const elsewhere = former ?? belongs(word, fields);
  if (elsewhere !== undefined) return elsewhere;
  if (meant !== undefined) return `did you mean '${meant}'?`;
  return `known keys: ${Object.keys(fields).join(', ')}`;
}

/** Where a key belongs that is known at another level; undefined when it is known at none. */
function belongs(word: string, fields: Fields): string | undefined {
  if (isStage(fields)) {
    if (word === 'cache' || word === 'persist' || word === 'push')
      return `it belongs to an out: \`outs: [{PATH: {${word}: ${word === 'persist'}}}]\``;
    if (Object.hasOwn(PIPELINE_FIELDS, word)) return 'it belongs at the top of the file, beside `stages:`';
    return undefined;
  }
  if ('foreach' in fields) {
    if (word === 'matrix') return 'a stage has foreach or matrix, not both';
    return Object.hasOwn(STAGE_FIELDS, word) ? 'it belongs in the stage: indent it below `do:`' : undefined;
  }
  if ('persist' in fields && !('path' in fields) && Object.hasOwn(STAGE_FIELDS, word) && !('title' in fields)) {
    return 'it belongs in the stage: indent it as far as `outs:`';
  }
  return undefined;
}

const STAGE_WORDS: ReadonlySet<string> = new Set(['foreach', 'do', 'matrix']);

function isStage(fields: Fields): boolean {
  return 'cmd' in fields;
}

/** Whether a value is made like a stage: a map with a key that only stages have. */
export function looksLikeStage(value: Node): boolean {
  if (value.kind !== 'map') return false;
  return value.entries.some(
    ({ key: { value: key } }) =>
      typeof key === 'string' && key !== 'params' && (Object.hasOwn(STAGE_FIELDS, key) || STAGE_WORDS.has(key)),
  );
}

/** What to write where a key is missing. */
export function lackHint(key: string, node: MapNode): string | undefined {
  if (key === 'do') return 'write the stage below `do:`, with `${item}` where the items differ';
  if (key === 'foreach') return 'write its items: `foreach: [a, b]`, or take `do:` out';
  if (key === 'url') return 'write where it is: `url: s3://bucket/prefix`';
  if (key === 'path') return 'write which file it is: `path: model.bin`';
  if (key === 'stage') {
    const word = node.entries[0]?.key.value;
    return typeof word === 'string' ? `a dep is a path, or \`{stage: NAME}\`` : undefined;
  }
  return undefined;
}

/** What to write instead of a value of the wrong type. */
export function typeHint(node: Node, shape: Shape, name: string): string | undefined {
  const key = name.slice(name.lastIndexOf('.') + 1);
  if (isUnknown(node)) return undefined;
  if (node.kind === 'scalar' && node.value === null) return 'give it a value, or take the line out';
  if (name === '') return 'write `stages:`, and below it the stages by name';
  if (name.endsWith('.matrix')) return 'write its lists by name: `matrix: {x: [1, 2]}`';
  const items = /\.(?:matrix\.[^.]+|foreach)$/.test(name);
  if (takes(shape, 'list') && (items || !takes(shape, 'text'))) {
    if (node.kind === 'scalar') return dashHint(node.value) ?? listHint(node.value, key);
    if (node.kind === 'map') return `put \`- \` before each of its lines, or write \`${key}: [{…}]\``;
  }
  if (name.endsWith('.resources.gpu') && node.kind === 'scalar' && typeof node.value === 'number' && node.value > 0)
    return 'a part of a GPU is so much of its memory: write `gpu_memory: 8GB`';
  if (name === 'stages' && node.kind === 'seq')
    return 'write the name of each stage as a key: `train:`, and below it `cmd:`';
  if (/^stages\.[^.]+$/.test(name) && node.kind === 'scalar') return `write \`${key}: {cmd: ${shown(node.value)}}\``;
  if (node.kind === 'scalar' && typeof node.value === 'string' && takes(shape, 'boolean')) {
    if (/^(yes|on|true)$/i.test(node.value)) return 'write `true`';
    if (/^(no|off|false)$/i.test(node.value)) return 'write `false`';
  }
  if (
    node.kind === 'scalar' &&
    typeof node.value === 'string' &&
    node.value.trim() !== '' &&
    !Number.isNaN(Number(node.value))
  )
    return takes(shape, 'integer') || takes(shape, 'number')
      ? `write it without quotes: \`${Number(node.value)}\``
      : undefined;
  if (node.kind === 'scalar' && takes(shape, 'text')) return `write it in quotes: \`'${node.value}'\``;
  if (node.kind === 'seq' && !takes(shape, 'list') && node.items.length === 1)
    return 'take the brackets or the `- ` out';
  return undefined;
}

/** Of a text whose lines begin with dashes and no space behind them, which is no list. */
function dashHint(value: unknown): string | undefined {
  const first = typeof value === 'string' ? /^-([^\s-]\S*)/.exec(value)?.[1] : undefined;
  return first === undefined ? undefined : `write a space behind each dash: \`- ${first}\``;
}

/** The one-item list that was meant. */
function listHint(value: unknown, key: string): string {
  const word = String(value);
  if (word.includes('${'))
    return `a template is one value: write \`${key.replace(/\[\d+\]$/, '')}: [${'${…}'}]\`, one for each`;
  return `write \`${key}: [${shown(value)}]\``;
}

/** A value that can be written as it is; else a mark that one stands there. */
function shown(value: unknown): string {
  const word = String(value);
  return /^[\w./][\w ./-]*$/.test(word) && word.length <= 40 ? word : '…';
}

function takes(shape: Shape, type: 'list' | 'text' | 'boolean' | 'integer' | 'number'): boolean {
  if (shape.type === 'either') return shape.shapes.some((option) => takes(option, type));
  return shape.type === type && !(shape.type === 'text' && shape.values !== undefined);
}
