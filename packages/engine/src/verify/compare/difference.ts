import type { Bound } from '@dag/model';

/** Where two versions of an out first differ, and by how much. */
export type Difference =
  | {
      readonly kind: 'byte';
      readonly offset: number;
      readonly before: number | undefined;
      readonly after: number | undefined;
    }
  | {
      readonly kind: 'line';
      readonly line: number;
      readonly before: string | undefined;
      readonly after: string | undefined;
    }
  /** A value of a JSON, YAML or TOML file. */
  | {
      readonly kind: 'key';
      readonly key: string;
      readonly before: string | undefined;
      readonly after: string | undefined;
    }
  | {
      readonly kind: 'cell';
      readonly row: number;
      readonly column: string;
      readonly before: string | undefined;
      readonly after: string | undefined;
    }
  | {
      readonly kind: 'tensor';
      readonly tensor: string;
      readonly index: readonly number[];
      readonly before: number;
      readonly after: number;
    }
  | {
      readonly kind: 'pixel';
      readonly x: number;
      readonly y: number;
      readonly before: readonly number[];
      readonly after: readonly number[];
    }
  /** What is no value: a shape, a type, a size, an executable bit. */
  | { readonly kind: 'part'; readonly part: string; readonly before: string; readonly after: string }
  | { readonly kind: 'file'; readonly how: 'added' | 'removed' };

/** How far numbers lie apart; the largest of all. */
export interface Deviation {
  /** Numbers that differ, of so many. */
  readonly differing: number;
  readonly of: number;
  readonly absolute: number;
  /** Of what it was; Infinity where that was 0. */
  readonly relative: number;
}

/** How one file compares with what it was. */
export type Comparison =
  | { readonly verdict: 'identical' }
  /** Other bytes that say the same. */
  | { readonly verdict: 'canonical' }
  /** Other numbers, all within what is tolerated. */
  | { readonly verdict: 'tolerated'; readonly deviation: Deviation }
  | {
      readonly verdict: 'different';
      readonly difference: Difference;
      /** Set where nothing but numbers differs. */
      readonly deviation?: Deviation;
    };

/** What a number may be off by. */
export function isWithinBound(before: number, after: number, bound: Bound | undefined): boolean {
  if (before === after || (Number.isNaN(before) && Number.isNaN(after))) return true;
  if (bound === undefined) return false;
  const off = Math.abs(after - before);
  return off <= (bound.kind === 'absolute' ? bound.most : bound.most * Math.abs(before));
}

/** Adds numbers up to a comparison: the first that differs too much, and how far all lie apart. */
export class Numbers {
  #of = 0;
  #differing = 0;
  #absolute = 0;
  #relative = 0;
  #first: Difference | undefined;
  #other: Difference | undefined;

  /** Two numbers; `at` tells where they are, and is asked once. */
  add(before: number, after: number, bound: Bound | undefined, at: () => Difference): void {
    this.#of++;
    if (before === after || (Number.isNaN(before) && Number.isNaN(after))) return;
    this.#differing++;
    const off = Math.abs(after - before);
    const absolute = Number.isNaN(off) ? Number.POSITIVE_INFINITY : off;
    this.#absolute = Math.max(this.#absolute, absolute);
    this.#relative = Math.max(this.#relative, before === 0 ? Number.POSITIVE_INFINITY : absolute / Math.abs(before));
    if (this.#first === undefined && !isWithinBound(before, after, bound)) this.#first = at();
  }

  /** Something else than a number differs. */
  other(difference: Difference): void {
    this.#other ??= difference;
  }

  /** What follows for two files whose bytes differ. */
  comparison(): Comparison {
    const deviation = { differing: this.#differing, of: this.#of, absolute: this.#absolute, relative: this.#relative };
    if (this.#other !== undefined) return { verdict: 'different', difference: this.#other };
    if (this.#first !== undefined) return { verdict: 'different', difference: this.#first, deviation };
    return this.#differing === 0 ? { verdict: 'canonical' } : { verdict: 'tolerated', deviation };
  }
}
