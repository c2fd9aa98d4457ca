import type { AnyPath, Bound, OutCheck, Value } from '@dag/model';
import { canonicalJson } from '@dag/model';
import { readValues, toValue } from '@dag/pipeline';
import { type Comparison, Numbers } from './difference.ts';

/**
 * Compares two texts of values: JSON, YAML or TOML, by the extension of `name`. Order of keys and the way that numbers are
 * written don't count.
 * @returns undefined where one of them can't be read.
 */
export function compareValues(
  before: Uint8Array,
  after: Uint8Array,
  name: string,
  check: OutCheck | undefined,
): Comparison | undefined {
  const [a, b] = [readValue(before, name), readValue(after, name)];
  if (a === undefined || b === undefined) return undefined;
  const numbers = new Numbers();
  walk('', a.value, b.value, numbers, (key) => boundFor(check, key));
  return numbers.comparison();
}

/** The tolerance of a key: its own, that of the nearest map around it, else that of all. */
export function boundFor(check: OutCheck | undefined, key: string): Bound | undefined {
  const named = check?.tolerances;
  for (let at = named === undefined ? '' : key; at !== ''; at = parentOf(at)) {
    const bound = named?.get(at);
    if (bound !== undefined) return bound;
  }
  return check?.tolerance;
}

/** `a.b[3]` → `a.b` → `a` → ''. */
function parentOf(key: string): string {
  return key.slice(0, Math.max(0, key.lastIndexOf('.'), key.lastIndexOf('[')));
}

/** The value that a file holds; undefined where it can't be read. */
export function readValue(bytes: Uint8Array, name: string): { readonly value: Value } | undefined {
  const read = readValues(bytes, name as AnyPath);
  if ('problems' in read) return undefined;
  return { value: read.root === undefined ? null : toValue(read.root) };
}

function walk(
  key: string,
  before: Value | undefined,
  after: Value | undefined,
  numbers: Numbers,
  bound: (key: string) => Bound | undefined,
): void {
  if (isNumber(before) && isNumber(after)) {
    if (
      typeof before === 'bigint' &&
      typeof after === 'bigint' &&
      before !== after &&
      Number(before) === Number(after)
    ) {
      numbers.other({ kind: 'key', key, before: `${before}`, after: `${after}` });
      return;
    }
    const at = () => ({ kind: 'key', key, before: textOf(before), after: textOf(after) }) as const;
    numbers.add(Number(before), Number(after), bound(key), at);
  } else if (Array.isArray(before) && Array.isArray(after)) {
    for (let i = 0; i < Math.max(before.length, after.length); i++) {
      walk(`${key}[${i}]`, before[i], after[i], numbers, bound);
    }
  } else if (isMap(before) && isMap(after)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      walk(key === '' ? name : `${key}.${name}`, own(before, name), own(after, name), numbers, bound);
    }
  } else if (before === undefined || after === undefined || canonicalJson(before) !== canonicalJson(after)) {
    numbers.other({ kind: 'key', key, before: textOf(before), after: textOf(after) });
  }
}

function own(map: { readonly [key: string]: Value }, name: string): Value | undefined {
  return Object.hasOwn(map, name) ? map[name] : undefined;
}

function isNumber(value: Value | undefined): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

function isMap(value: Value | undefined): value is { readonly [key: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textOf(value: Value | undefined): string | undefined {
  return value === undefined ? undefined : canonicalJson(value);
}
