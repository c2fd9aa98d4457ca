import { setImmediate as turn } from 'node:timers/promises';
import type { Batch, BatchOptions, Position } from './batch.ts';
import { type BatchSource, rowSource } from './row-source.ts';
import type { Rows } from './rows.ts';
import { type RowStream, streamSource } from './stream-source.ts';

/** Batches, as often as they are asked for: each `for await` begins anew. It may be left at any time. */
export interface Batches<Name extends string = string> extends AsyncIterable<Batch<Name>> {
  /** Undefined for a stream, whose rows nobody has counted. */
  readonly batchesPerEpoch: number | undefined;
  /** The batches of one epoch, from 1; from its first batch, or from the one that `startAt` names if it is in this epoch. */
  epoch(epoch: number): AsyncIterable<Batch<Name>>;
  /** What there was to wait for so far: batches that were handed out, and milliseconds until they were there. */
  readonly waited: { readonly batches: number; readonly milliseconds: number };
}

/**
 * Batches of rows that belong together, one of each array: `batches({ x: images, y: labels }, { size: 32 })`; or of a
 * stream's rows. Some are read ahead; memory holds these and no more.
 * @throws RangeError where arrays have different numbers of rows, or an option makes no sense.
 */
export function batches<Name extends string>(
  from: Readonly<Record<Name, Rows>> | RowStream<Name>,
  options: BatchOptions,
): Batches<Name> {
  const { size, epochs = 1, startAt = { epoch: 1, batch: 1 }, prefetch = 2 } = options;
  const counts = { size, epochs, 'startAt.epoch': startAt.epoch, 'startAt.batch': startAt.batch, prefetch };
  for (const [name, value] of Object.entries(counts)) {
    const least = name === 'prefetch' ? 0 : 1;
    if (!Number.isInteger(value) || value < least)
      throw new RangeError(`${name} is ${value}, and must be a whole number from ${least}`);
  }
  const source: BatchSource<Name> = isStream(from) ? streamSource(from, options) : rowSource(from, options);
  const waited = { batches: 0, milliseconds: 0 };
  const run = (start: Position, end: number) => goThrough(source, start, end, prefetch, options.signal, waited);
  return {
    batchesPerEpoch: source.batchesPerEpoch,
    waited,
    epoch: (epoch) => ({
      [Symbol.asyncIterator]: () => run(epoch === startAt.epoch ? startAt : { epoch, batch: 1 }, epoch),
    }),
    [Symbol.asyncIterator]: () => run(startAt, epochs),
  };
}

function isStream<Name extends string>(from: Readonly<Record<Name, Rows>> | RowStream<Name>): from is RowStream<Name> {
  return typeof (from as RowStream<Name>).rows === 'function';
}

/**
 * Hands out batches and keeps the next ones in the making. Before each it lets the event loop turn: what was read meanwhile
 * arrives, and messages and signals get through, however long the steps of a training block it.
 */
async function* goThrough<Name extends string>(
  source: BatchSource<Name>,
  start: Position,
  lastEpoch: number,
  prefetch: number,
  signal: AbortSignal | undefined,
  waited: { batches: number; milliseconds: number },
): AsyncGenerator<Batch<Name>, void, undefined> {
  signal?.throwIfAborted();
  const reader = await source.open(start, lastEpoch);
  const queue: Promise<Batch<Name> | undefined>[] = [];
  try {
    for (;;) {
      signal?.throwIfAborted();
      const began = performance.now();
      while (queue.length <= prefetch) {
        const batch = reader.next();
        // Whoever comes to it is told; until then nobody waits for it.
        batch.catch(() => {});
        queue.push(batch);
      }
      await turn();
      const batch = await queue.shift();
      if (batch === undefined) return;
      waited.batches++;
      waited.milliseconds += performance.now() - began;
      yield batch;
    }
  } finally {
    await Promise.allSettled(queue);
    await reader.close();
  }
}
