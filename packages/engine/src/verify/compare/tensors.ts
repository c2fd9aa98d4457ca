import type { Bound, OutCheck } from '@dag/model';
import { type Comparison, Numbers } from './difference.ts';

/** Numbers in a shape. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly values: ArrayLike<number>;
  /** Numbers an element: 2 where they are complex. */
  readonly parts?: number;
}

/** Compares tensors by their names. `parts` are what else has to be the same, with what it is called. */
export function compareTensors(
  before: ReadonlyMap<string, Tensor>,
  after: ReadonlyMap<string, Tensor>,
  check: OutCheck | undefined,
): Comparison {
  const numbers = new Numbers();
  const part = (name: string, old: string, now: string) =>
    numbers.other({ kind: 'part', part: name, before: old, after: now });
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(name), after.get(name)];
    if (old === undefined || now === undefined) {
      part(`tensor ${name}`, old === undefined ? 'none' : shapeText(old), now === undefined ? 'none' : shapeText(now));
    } else if (shapeText(old) !== shapeText(now)) part(`tensor ${name}`, shapeText(old), shapeText(now));
    else compareValues(name, old, now, boundOf(check, name), numbers);
  }
  return numbers.comparison();
}

function compareValues(name: string, old: Tensor, now: Tensor, bound: Bound | undefined, numbers: Numbers): void {
  const { parts = 1, shape } = old;
  for (let i = 0; i < old.values.length; i++) {
    const [before, after] = [old.values[i] ?? 0, now.values[i] ?? 0];
    numbers.add(before, after, bound, () => ({
      kind: 'tensor',
      tensor: name,
      index: indexOf(Math.floor(i / parts), shape),
      before,
      after,
    }));
  }
}

function boundOf(check: OutCheck | undefined, name: string): Bound | undefined {
  return check?.tolerances?.get(name) ?? check?.tolerance;
}

function shapeText({ dtype, shape }: Tensor): string {
  return `${dtype}[${shape.join(', ')}]`;
}

/** The index of the n-th element, row by row. */
function indexOf(n: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let left = n;
  for (const size of [...shape].reverse()) {
    index.unshift(left % size);
    left = Math.floor(left / size);
  }
  return index;
}

/** 16-bit floating point as a number. */
export function halfOf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 1024);
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 1024);
}
