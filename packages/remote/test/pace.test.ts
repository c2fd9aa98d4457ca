import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StorageError } from '../src/storage/problem.ts';
import { Pace } from '../src/transfer/pace.ts';
import { DEFAULT_RETRY, retry } from '../src/transfer/retry.ts';

/** A storage that refuses what is more than it can do at once; what it does takes some turns of the event loop. */
function busyStorage(capacity: number, turns: number) {
  const seen = { running: 0, most: 0, calls: 0, refused: 0 };
  const call = async (): Promise<void> => {
    seen.calls++;
    seen.running++;
    seen.most = Math.max(seen.most, seen.running);
    try {
      if (seen.running > capacity) {
        seen.refused++;
        throw new StorageError('busy', 'slow down', { transient: true });
      }
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      seen.running--;
    }
  };
  return { seen, call };
}

async function callMany(pace: Pace, count: number, call: () => Promise<void>): Promise<void> {
  const policy = { ...DEFAULT_RETRY, attempts: 1000, firstDelayMs: 0, maxDelayMs: 0, random: () => 0 };
  await Promise.all(Array.from({ length: count }, () => retry(() => pace.run(call), policy, undefined)));
}

test('it settles at what the storage can do, whatever that is, and few calls are refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 32 }),
      fc.integer({ min: 1, max: 5 }),
      async (capacity, most, turns) => {
        const pace = new Pace(most);
        const { seen, call } = busyStorage(capacity, turns);
        await callMany(pace, 200, call);
        expect(seen.calls - seen.refused).toBe(200);
        expect(seen.most).toBeLessThanOrEqual(most);
        if (capacity >= most) expect(seen.refused).toBe(0);
        const before = { ...seen };
        seen.most = 0;
        await callMany(pace, 400, call);
        expect(seen.most).toBeLessThanOrEqual(Math.min(most, capacity + 1));
        expect(seen.most).toBeGreaterThanOrEqual(Math.min(most, capacity));
        expect(seen.refused - before.refused).toBeLessThanOrEqual((3 * 400) / capacity);
      },
    ),
    { numRuns: 50 },
  );
});

test('a storage that is fast from the first call on is soon asked for as much as it may be', async () => {
  const pace = new Pace(16);
  const { seen, call } = busyStorage(100, 1);
  await callMany(pace, 4 + 8, call);
  seen.most = 0;
  await callMany(pace, 16, call);
  expect(seen.most).toBe(16);
});

test('many failures of one moment count as one', async () => {
  const pace = new Pace(16);
  const { seen, call } = busyStorage(100, 1);
  await callMany(pace, 100, call);
  let failing = 16;
  await callMany(pace, 16, async () => {
    if (failing-- > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      throw new StorageError('busy', 'reset', { transient: true });
    }
    await call();
  });
  seen.most = 0;
  await callMany(pace, 8, call);
  expect(seen.most).toBe(8);
});
