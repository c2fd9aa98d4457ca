import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../src/public/random.ts';

describe('random numbers', () => {
  test('a seed decides them, on every machine and in every version', () => {
    const { next } = createRandom(42);
    expect([next(), next(), next()]).toMatchInlineSnapshot(`
      [
        0.7250511988531798,
        0.4115950495470315,
        0.1488347677513957,
      ]
    `);
  });

  test('other seeds and other names are other streams', () => {
    const first = (seed: number, name?: string) => createRandom(seed, name).next();
    const all = [first(0), first(1), first(2), first(1, 'a'), first(1, 'b'), first(-1), first(0.5)];
    expect(new Set(all).size).toBe(all.length);
  });

  test('they are spread evenly, whatever the seed', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = createRandom(seed);
        const draws = Array.from({ length: 2000 }, random.next);
        expect(draws.every((x) => x >= 0 && x < 1)).toBe(true);
        const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
        // Six standard deviations of the mean of 2000.
        expect(Math.abs(mean - 0.5)).toBeLessThan(6 * Math.sqrt(1 / 12 / 2000));
      }),
    );
  });

  test('normal ones have mean 0 and variance 1', () => {
    const random = createRandom(3);
    const draws = Array.from({ length: 20_000 }, random.normal);
    const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length;
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(variance - 1)).toBeLessThan(0.06);
  });

  test('a shuffle keeps what is there, in place, and each seed has its own order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const shuffled = createRandom(seed).shuffle([...items]);
        expect([...shuffled].sort()).toEqual([...items].sort());
        expect(createRandom(seed).shuffle([...items])).toEqual(shuffled);
      }),
    );
    const typed = Uint8Array.from({ length: 50 }, (_, i) => i);
    expect(createRandom(1).shuffle(typed)).toBe(typed);
    expect([...typed]).not.toEqual([...typed].sort((a, b) => a - b));
  });
});
