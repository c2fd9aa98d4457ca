import { decodeText, readTree } from '../../src/data/read.ts';
import { isNothing } from '../../src/data/value.ts';
import { newReport } from '../../src/diagnostic/report.ts';
import type { Node, Scalar } from '../../src/yaml/node.ts';
import { path } from './memory.ts';

/** What a file of values holds, with its types, as test/differential/read.py writes it; or why it is refused. */
export type Reading = { readonly value: unknown } | { readonly refused: string };

/** Reads a file by its name, as params files are read. Like DVC it takes what is empty or false for an empty map. */
export function readValues(name: string, text: string | Uint8Array): Reading {
  const report = newReport();
  const file = path(name);
  const decoded = decodeText(typeof text === 'string' ? new TextEncoder().encode(text) : text, file, report);
  const root = decoded === undefined ? 'broken' : readTree({ file, text: decoded }, report);
  if (root === 'broken') return { refused: report.sorted()[0]?.message ?? '?' };
  const value = root === undefined ? null : comparable(root);
  return { value: isNothing(root) ? { map: [] } : value };
}

function comparable(node: Node): unknown {
  if (node.kind === 'scalar') return scalar(node.value, node.float);
  if (node.kind === 'seq') return node.items.map(comparable);
  return { map: node.entries.map(({ key, value }) => [comparable(key), comparable(value)]) };
}

function scalar(value: Scalar, float: boolean): unknown {
  if (typeof value === 'bigint') return { int: String(value) };
  if (typeof value !== 'number') return value;
  if (!float) return { int: String(value) };
  if (Number.isNaN(value)) return { float: 'nan' };
  if (!Number.isFinite(value)) return { float: value > 0 ? 'inf' : '-inf' };
  return { float: Object.is(value, -0) ? '-0' : String(value) };
}
