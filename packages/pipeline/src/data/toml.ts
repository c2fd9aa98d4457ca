import { parse, TomlError } from 'smol-toml';
import type { Node } from '../yaml/node.ts';
import { placeless, placelessMap } from './value.ts';

export { TomlError };

/** Reads TOML into a tree. Dates become text, as Python writes them. Throws a TomlError. */
export function readToml(text: string): Node {
  const mark = text.startsWith('\ufeff');
  if (mark) throw new TomlError('a byte order mark before the text; save it without', { toml: text, ptr: 0 });
  return fromToml(parse(text, { integersAsBigInt: true }));
}

function fromToml(value: unknown): Node {
  if (typeof value === 'bigint') return placeless(Number.isSafeInteger(Number(value)) ? Number(value) : value);
  if (typeof value === 'number') return placeless(value, true);
  if (typeof value === 'string' || typeof value === 'boolean') return placeless(value);
  if (value instanceof Date) return placeless(dateText(value.toISOString()));
  if (Array.isArray(value)) return { kind: 'seq', items: value.map(fromToml), flow: true, start: 0, end: 0 };
  const entries = Object.entries(value as Record<string, unknown>);
  return placelessMap(entries.map(([key, inner]): [string, Node] => [key, fromToml(inner)]));
}

function dateText(iso: string): string {
  return iso
    .replace('T', ' ')
    .replace(/\.(\d{1,6})\d*/, (_, digits: string) => (/[1-9]/.test(digits) ? `.${digits.padEnd(6, '0')}` : ''))
    .replace('Z', '+00:00');
}
