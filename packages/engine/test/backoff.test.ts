import { expect, test } from 'vitest';
import { backoffMs, pause } from '../src/run/backoff.ts';

test('each pause is twice the one before, up to a minute, and as much as a half shorter', () => {
  expect([1, 2, 3, 4].map((tries) => backoffMs(tries, 0))).toEqual([500, 1000, 2000, 4000]);
  expect(backoffMs(50, 0)).toBe(60_000);
  expect(backoffMs(1, 0.999)).toBe(250);
});

test('a signal ends a pause, one that came before it too', async () => {
  const stop = new AbortController();
  const paused = pause(3_600_000, [stop.signal]);
  stop.abort();
  expect(await paused).toBe(false);
  expect(await pause(3_600_000, [stop.signal])).toBe(false);
});
