import { parse, TomlError } from 'smol-toml';
import type { Node } from '../yaml/node.ts';
import { placeless, placelessMap } from './value.ts';

export { TomlError };

/** Reads TOML into a tree. Dates become text. Throws a TomlError. */
export function readToml(text: string): Node {
  return fromToml(parse(text, { integersAsBigInt: true }));
}

function fromToml(value: unknown): Node {
  if (typeof value === 'bigint') return placeless(Number.isSafeInteger(Number(value)) ? Number(value) : value);
  if (typeof value === 'number') return placeless(value, true);
  if (typeof value === 'string' || typeof value === 'boolean') return placeless(value);
  if (value instanceof Date) return placeless(value.toISOString());
  if (Array.isArray(value)) return { kind: 'seq', items: value.map(fromToml), flow: true, start: 0, end: 0 };
  const entries = Object.entries(value as Record<string, unknown>);
  return placelessMap(entries.map(([key, inner]): [string, Node] => [key, fromToml(inner)]));
}
