import { yamlKey, yamlScalar } from '../yaml/write.ts';
import type { Content } from './entry.ts';

/** A value as edits write it: text, numbers and flags, lists, and maps in order. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [key: string]: Plain };

/** A value for a key. Lists and maps of the block style get a line an entry; maps inside a list are on one line. */
export function contentOf(value: Plain): Content {
  return { flow: flowText(value), block: (indent) => blockText(value, indent) };
}

function isMap(value: Plain): value is { readonly [key: string]: Plain } {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function blockText(value: Plain, indent: string): string {
  if (Array.isArray(value) && value.length > 0) {
    return value.map((item: Plain) => `\n${indent}  - ${itemText(item, `${indent}    `)}`).join('');
  }
  if (isMap(value) && Object.keys(value).length > 0) {
    return Object.entries(value)
      .map(([key, inner]) => `\n${indent}  ${yamlKey(key)}:${blockText(inner, `${indent}  `)}`)
      .join('');
  }
  if (typeof value === 'string' && isLiteral(value)) return ` ${literalText(value, `${indent}  `)}`;
  return ` ${flowText(value)}`;
}

/** An item of a list: a map with one key, as outs with flags are, in block style, other values on the line. */
function itemText(value: Plain, indent: string): string {
  if (!isMap(value))
    return typeof value === 'string' && isLiteral(value) ? literalText(value, indent) : flowText(value);
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length !== 1 || only === undefined) return flowText(value);
  return `${yamlKey(only[0])}:${blockText(only[1], indent)}`;
}

/** Text of several lines that a literal block can hold as it is. */
function isLiteral(text: string): boolean {
  return /^\S[^\n]*\n[\s\S]*\S\n?$/.test(text) && !/[^\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff]|[ ]\n|[ ]$/.test(text);
}

function literalText(text: string, indent: string): string {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  return `${text.endsWith('\n') ? '|' : '|-'}${body
    .split('\n')
    .map((line) => (line === '' ? '\n' : `\n${indent}${line}`))
    .join('')}`;
}

export function flowText(value: Plain): string {
  if (Array.isArray(value)) return `[${value.map(flowText).join(', ')}]`;
  if (isMap(value)) {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${yamlKey(key)}: ${flowText(inner)}`)
      .join(', ')}}`;
  }
  return yamlScalar(value as string | number | boolean | null);
}
