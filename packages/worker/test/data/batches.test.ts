import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  arrayRows,
  type Batch,
  batches,
  openArray,
  type RowStream,
  type Rows,
  saveArray,
} from '../../src/public/data.ts';
import { createRandom } from '../../src/public.ts';
import { collect, testFolder } from './folder.ts';

const folder = testFolder();

/** Rows 0, 1, 2, … in both ways of coming. */
const sources = {
  rows: (count: number) => ({
    x: arrayRows(
      Int32Array.from({ length: count }, (_, i) => i),
      [count],
    ),
  }),
  stream: (count: number, buffer = 5): RowStream<'x'> => ({
    parts: { x: { shape: [], dtype: 'int32' } },
    buffer,
    async *rows() {
      for (let i = 0; i < count; i += 3) yield Array.from({ length: Math.min(3, count - i) }, (_, k) => [i + k]);
    },
  }),
} as const;

const seen = (list: readonly Batch<'x'>[]) =>
  list.map(({ epoch, batch, size, data, next }) => ({ epoch, batch, size, next, x: [...data.x.values] }));
const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b);

describe.each(Object.entries(sources))('%s', (_, source) => {
  const options = fc.record({
    count: fc.integer({ min: 1, max: 40 }),
    size: fc.integer({ min: 1, max: 12 }),
    epochs: fc.integer({ min: 1, max: 3 }),
    seed: fc.option(fc.nat(1000), { nil: undefined }),
    last: fc.constantFrom('keep' as const, 'drop' as const),
    prefetch: fc.integer({ min: 0, max: 4 }),
  });
  const feed = (
    { count, seed, ...rest }: typeof options extends fc.Arbitrary<infer O> ? O : never,
    startAt?: Batch['next'],
  ) =>
    batches(source(count), {
      ...rest,
      ...(seed === undefined ? {} : { shuffle: seed }),
      ...(startAt === undefined ? {} : { startAt }),
    });

  it('goes through all rows in each epoch, in batches of one size', async () => {
    await fc.assert(
      fc.asyncProperty(options, async (drawn) => {
        const { count, size, epochs, last } = drawn;
        const all = seen(await collect(feed(drawn)));
        const full = Math.floor(count / size);
        const rest = last === 'drop' ? 0 : count % size;
        for (let epoch = 1; epoch <= epochs; epoch++) {
          const mine = all.filter((one) => one.epoch === epoch);
          expect(mine.map((one) => one.batch)).toEqual(mine.map((_, i) => i + 1));
          expect(mine.map((one) => one.size)).toEqual([...Array(full).fill(size), ...(rest > 0 ? [rest] : [])]);
          const rows = mine.flatMap((one) => one.x);
          if (last === 'keep') expect(sorted(rows)).toEqual(Array.from({ length: count }, (_, i) => i));
          else expect(new Set(rows).size).toBe(full * size);
        }
        expect(new Set(all.map((one) => one.epoch)).size).toBe(all.length === 0 ? 0 : epochs);
      }),
    );
  });

  it('goes on at any batch as if it had never stopped', async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.nat(), async (drawn, draw) => {
        const all = await collect(feed(drawn));
        if (all.length === 0) return;
        const at = draw % all.length;
        expect(seen(await collect(feed(drawn, all[at]?.next)))).toEqual(seen(all.slice(at + 1)));
      }),
    );
  });

  it('has an order for each epoch that the seed alone decides', async () => {
    const [one, again, other] = [3, 3, 4].map((shuffle) => batches(source(40), { size: 40, epochs: 2, shuffle }));
    const orders = async (from: AsyncIterable<Batch<'x'>> | undefined) =>
      seen(await collect(from ?? ([] as never))).map(({ x }) => x.join());
    const [first, second] = await orders(one);
    expect(await orders(again)).toEqual([first, second]);
    expect(second).not.toBe(first);
    expect(await orders(other)).not.toContain(first);
  });

  it('hands out one epoch alone, from where it is to begin', async () => {
    const settings = { size: 4, epochs: 3, shuffle: 1 };
    const all = seen(await collect(batches(source(10), settings)));
    const resumed = batches(source(10), { ...settings, startAt: { epoch: 2, batch: 3 } });
    expect(seen(await collect(resumed.epoch(2)))).toEqual(all.filter(({ epoch, batch }) => epoch === 2 && batch === 3));
    expect(seen(await collect(resumed.epoch(3)))).toEqual(all.filter(({ epoch }) => epoch === 3));
  });
});

it("shuffles as ctx.randomStream('epoch N') would", async () => {
  const [batch] = await collect(batches(sources.rows(20), { size: 20, shuffle: 7 }));
  const order = createRandom(7, 'stream/epoch 1').shuffle(Array.from({ length: 20 }, (_, i) => i));
  expect([...(batch?.data.x.values ?? [])]).toEqual(order);
});

it('draws rows of a stream from its buffer: none comes earlier than that allows', async () => {
  const all = seen(await collect(batches(sources.stream(1000, 50), { size: 10, shuffle: 1 }))).flatMap(({ x }) => x);
  expect(all.some((row, i) => row !== i)).toBe(true);
  // A row leaves the buffer only once there is another to take its place.
  expect(all.every((row, i) => row <= i + 50)).toBe(true);
});

/** Rows whose reads end when they are told to. */
function heldRows(count: number) {
  const log = { open: 0, closed: 0, started: 0 };
  const held: (() => void)[] = [];
  const rows: Rows = {
    ...{ count, shape: [], dtype: 'uint8' },
    open: async () => {
      log.open++;
      return {
        read: (indices) => {
          log.started++;
          return new Promise((resolve) => held.push(() => resolve(new Uint8Array(indices.length))));
        },
        close: async () => {
          expect(held).toEqual([]);
          log.closed++;
        },
      };
    },
  };
  return {
    rows,
    log,
    release: () => {
      for (const go of held.splice(0)) go();
    },
  };
}

it('reads ahead as far as it was told, and no further', async () => {
  const { rows, log, release } = heldRows(100);
  const iterator = batches({ x: rows }, { size: 1, prefetch: 3 })[Symbol.asyncIterator]();
  const first = iterator.next();
  await expect.poll(() => log.started).toBe(4);
  release();
  await first;
  expect(log.started).toBe(4);
  const second = iterator.next();
  await expect.poll(() => log.started).toBe(5);
  release();
  await second;
  const left = iterator.return?.();
  await left;
  expect(log).toMatchObject({ open: 1, closed: 1, started: 5 });
});

it('closes what it opened when it is left, fails or is aborted', async () => {
  const { rows, log, release } = heldRows(100);
  const abort = new AbortController();
  const feed = batches({ x: rows }, { size: 1, signal: abort.signal });
  const releasing = setInterval(release, 1);
  try {
    for await (const _ of feed) break;
    await expect(
      (async () => {
        for await (const _ of feed) throw new Error('mine');
      })(),
    ).rejects.toThrow('mine');
    await expect(
      (async () => {
        for await (const _ of feed) abort.abort(new Error('stopped'));
      })(),
    ).rejects.toThrow('stopped');
    await expect(collect(feed)).rejects.toThrow('stopped');
  } finally {
    clearInterval(releasing);
  }
  expect(log.open).toBe(3);
  expect(log.closed).toBe(3);
});

it.runIf(process.platform === 'linux')('leaves no file open, whether it ends or is left', async () => {
  const file = join(folder, 'x.npy');
  await saveArray(file, new Float32Array(1000), [1000]);
  const rows = await openArray(file, { memory: 0 });
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  let most = 0;
  for (let i = 0; i < 50; i++) {
    for await (const _ of batches({ x: rows }, { size: 10, shuffle: i, prefetch: 4 })) {
      most = Math.max(most, open());
      if (i % 2 === 0) break;
    }
  }
  expect(most).toBeGreaterThan(before);
  expect(open()).toBe(before);
});

it('fails with what went wrong, at the batch that it went wrong in', async () => {
  const rows: Rows = {
    ...{ count: 4, shape: [], dtype: 'uint8' },
    open: async () => ({
      read: async (indices) => {
        if (indices[0] === 2) throw new Error('row 2 is bad');
        return new Uint8Array(indices.length);
      },
      close: async () => {},
    }),
  };
  let had = 0;
  const run = async () => {
    for await (const _ of batches({ x: rows }, { size: 1, prefetch: 4 })) had++;
  };
  await expect(run()).rejects.toThrow('row 2 is bad');
  expect(had).toBe(2);
});

it('lets the event loop turn between batches, and counts what there was to wait for', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const feed = batches(sources.rows(64), { size: 1 });
  // A step of a training: it blocks the loop, and ends in a promise that is settled already.
  for await (const _ of feed) for (const end = performance.now() + 2; performance.now() < end; );
  clearInterval(timer);
  expect(turns).toBeGreaterThan(20);
  expect(feed.waited.batches).toBe(64);
  expect(feed.waited.milliseconds).toBeGreaterThan(0);
});

it('refuses options that make no sense, and arrays that do not belong together', () => {
  const { x } = sources.rows(3);
  expect(() => batches({ x }, { size: 0 })).toThrow('size is 0, and must be a whole number from 1');
  expect(() => batches({ x }, { size: 1, startAt: { epoch: 1, batch: 0 } })).toThrow('startAt.batch is 0');
  expect(() => batches({ x, y: sources.rows(4).x }, { size: 1 })).toThrow('differ in number: x has 3, y has 4');
  expect(() => batches({}, { size: 1 })).toThrow('nothing to make batches of');
});
