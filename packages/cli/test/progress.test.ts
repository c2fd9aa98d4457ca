import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recentRate } from '../src/render/progress.ts';

test('a steady rate is told as it is, however it began', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 50, max: 3000 }), (perSecond, step) => {
      const rate = recentRate(0);
      let told = rate(0, 60_000);
      for (let now = 60_000; now <= 120_000; now += step) told = rate(((now - 60_000) * perSecond) / 1000, now);
      expect(told / perSecond).toBeCloseTo(1, 6);
    }),
  );
});

test('it is zero while nothing has come, and soon after nothing comes any more', () => {
  const rate = recentRate(0);
  expect(rate(0, 0)).toBe(0);
  expect(rate(0, 1000)).toBe(0);
  expect(rate(1000, 2000)).toBe(500);
  rate(1000, 12_000);
  expect(rate(1000, 13_000)).toBe(0);
});
