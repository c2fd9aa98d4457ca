import type { OutCheck, Value } from '@dag/model';
import { type Comparison, Numbers } from './difference.ts';
import { boundFor, readValue } from './values.ts';

/** Numbers of a metrics file by their dotted keys. */
export type NumbersByKey = ReadonlyMap<string, number>;

/** The numbers in a file of values: JSON, YAML or TOML by its name; none where it can't be read. */
export function numbersIn(bytes: Uint8Array, name: string): NumbersByKey {
  const found = new Map<string, number>();
  const walk = (key: string, value: Value): void => {
    if (typeof value === 'number' || typeof value === 'bigint') found.set(key, Number(value));
    else if (Array.isArray(value)) for (const [i, one] of value.entries()) walk(`${key}[${i}]`, one as Value);
    else if (typeof value === 'object' && value !== null) {
      for (const [inner, one] of Object.entries(value)) walk(key === '' ? inner : `${key}.${inner}`, one as Value);
    }
  };
  walk('', readValue(bytes, name)?.value ?? null);
  return found;
}

/** Compares numbers by their keys, with the tolerances of a check; one that came or went differs. */
export function compareNumbers(before: NumbersByKey, after: NumbersByKey, check: OutCheck | undefined): Comparison {
  const numbers = new Numbers();
  const text = (number: number | undefined) => (number === undefined ? undefined : String(number));
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(key), after.get(key)];
    const difference = { kind: 'key', key, before: text(old), after: text(now) } as const;
    if (old === undefined || now === undefined) numbers.other(difference);
    else numbers.add(old, now, boundFor(check, key), () => difference);
  }
  const found = numbers.comparison();
  return found.verdict === 'canonical' ? { verdict: 'identical' } : found;
}
