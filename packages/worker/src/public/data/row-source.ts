import { createRandom } from '../random.ts';
import type { Batch, BatchOptions, Position } from './batch.ts';
import type { NumberArray, RowReader, Rows } from './rows.ts';

/** Where batches come from. */
export interface BatchSource<Name extends string> {
  readonly batchesPerEpoch: number | undefined;
  /** Makes it ready to hand out batches from `start` to the end of `lastEpoch`. */
  open(start: Position, lastEpoch: number): Promise<BatchReader<Name>>;
}

export interface BatchReader<Name extends string> {
  /** The next batch; undefined behind the last. Called again before earlier calls have ended. */
  next(): Promise<Batch<Name> | undefined>;
  close(): Promise<void>;
}

/** Batches of rows that can be read in any order. */
export function rowSource<Name extends string>(
  rows: Readonly<Record<Name, Rows>>,
  { size, shuffle, last = 'keep' }: BatchOptions,
): BatchSource<Name> {
  const all = Object.entries(rows) as [Name, Rows][];
  const count = all[0]?.[1].count ?? 0;
  if (all.length === 0) throw new RangeError('there is nothing to make batches of');
  if (all.some(([, one]) => one.count !== count)) {
    const counts = all.map(([name, one]) => `${name} has ${one.count}`).join(', ');
    throw new RangeError(`rows that belong together differ in number: ${counts}`);
  }
  const batchesPerEpoch = last === 'drop' ? Math.floor(count / size) : Math.ceil(count / size);
  const following = ({ epoch, batch }: Position) =>
    batch < batchesPerEpoch ? { epoch, batch: batch + 1 } : { epoch: epoch + 1, batch: 1 };

  const open = async (start: Position, lastEpoch: number): Promise<BatchReader<Name>> => {
    const readers: [Name, Rows, RowReader][] = [];
    const close = async () => void (await Promise.all(readers.map(([, , reader]) => reader.close())));
    try {
      for (const [name, one] of all) readers.push([name, one, await one.open()]);
    } catch (error) {
      await close();
      throw error;
    }
    let position = start.batch > batchesPerEpoch ? { epoch: start.epoch + 1, batch: 1 } : start;
    let order = { epoch: 0, indices: new Uint32Array() };
    const next = async () => {
      const { epoch, batch } = position;
      if (epoch > lastEpoch || batchesPerEpoch === 0) return undefined;
      if (order.epoch !== epoch) order = { epoch, indices: epochOrder(count, shuffle, epoch) };
      const indices = order.indices.subarray((batch - 1) * size, batch * size);
      position = following(position);
      const here = { epoch, batch, size: indices.length, next: position };
      const arrays = readers.map(async ([name, { shape, dtype }, reader]): Promise<[Name, NumberArray]> => {
        const values = await reader.read(indices);
        return [name, { values, shape: [indices.length, ...shape], dtype }];
      });
      return { ...here, data: Object.fromEntries(await Promise.all(arrays)) as Record<Name, NumberArray> };
    };
    return { next, close };
  };
  return { batchesPerEpoch, open };
}

/** The order of an epoch: that of `ctx.randomStream('epoch N')` under the same seed. */
export function epochOrder(count: number, seed: number | undefined, epoch: number): Uint32Array<ArrayBuffer> {
  const indices = Uint32Array.from({ length: count }, (_, index) => index);
  return seed === undefined ? indices : epochRandom(seed, epoch).shuffle(indices);
}

export function epochRandom(seed: number, epoch: number) {
  return createRandom(seed, `stream/epoch ${epoch}`);
}
