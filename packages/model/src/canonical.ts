import { byCodeUnit } from './compare.ts';

/** A value as YAML or JSON gives it. A bigint is an integer that a double can't hold. */
export type Value = null | boolean | number | bigint | string | readonly Value[] | { readonly [key: string]: Value };

/**
 * Canonical JSON, the text that is hashed: keys sorted by code unit, no white space, types kept.
 * 1 and 1.0 are one number; 1, "1" and true are three values. Integers keep all their digits; numbers that JSON
 * has no word for stand as `NaN`, `Infinity` and `-Infinity` unquoted, so that they can't be mistaken for text.
 */
export function canonicalJson(value: Value): string {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const map = value as { readonly [key: string]: Value };
  const members = Object.keys(map)
    .sort(byCodeUnit)
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(map[key] as Value)}`);
  return `{${members.join(',')}}`;
}

/** Whether two values are the same one: by content, by type, whatever the order of keys. */
export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || canonicalJson(a) === canonicalJson(b);
}
