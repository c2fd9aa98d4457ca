import type { Batch, BatchOptions, Position } from './batch.ts';
import { type BatchSource, epochRandom } from './row-source.ts';
import { allocate, type Dtype, type NumberArray, sizeOf } from './rows.ts';

/** Rows that come one after the other only. */
export interface RowStream<Name extends string = string> {
  /** What a row consists of: its parts by name, in the order in which their numbers stand in it. */
  readonly parts: Readonly<Record<Name, { readonly shape: readonly number[]; readonly dtype: Dtype }>>;
  /** From how many rows the next one is drawn where rows are shuffled. */
  readonly buffer: number;
  /** All rows, from the first, a few at a time. Left early, it lets go of what it holds open. */
  rows(): AsyncGenerator<readonly StreamRow[], void, undefined>;
}

/** All numbers of a row. */
export type StreamRow = ArrayLike<number>;

/** Batches of a stream's rows. */
export function streamSource<Name extends string>(
  stream: RowStream<Name>,
  { size, shuffle, last = 'keep' }: BatchOptions,
): BatchSource<Name> {
  async function* all(start: Position, lastEpoch: number): AsyncGenerator<Batch<Name>, void, undefined> {
    for (let epoch = start.epoch; epoch <= lastEpoch; epoch++) {
      const skipped = epoch === start.epoch ? start.batch - 1 : 0;
      let batch = 0;
      let held: Batch<Name> | undefined;
      for await (const rows of cut(ordered(stream, shuffle, epoch), size)) {
        if (rows.length < size && last === 'drop') break;
        if (held !== undefined) yield held;
        held = undefined;
        if (++batch <= skipped) continue;
        const next = { epoch, batch: batch + 1 };
        held = { epoch, batch, size: rows.length, next, data: collect(stream, rows) };
      }
      // Only behind the last row is it known that this was an epoch's last batch.
      if (held !== undefined) yield { ...held, next: { epoch: epoch + 1, batch: 1 } };
      if (batch === 0) return;
    }
  }
  const open = async (start: Position, lastEpoch: number) => {
    const batches = all(start, lastEpoch);
    return {
      next: async () => (await batches.next()).value ?? undefined,
      close: async () => void (await batches.return()),
    };
  };
  return { batchesPerEpoch: undefined, open };
}

/** The rows of an epoch: as they come, or each drawn from a buffer that the next one then fills up. */
async function* ordered(
  stream: RowStream,
  seed: number | undefined,
  epoch: number,
): AsyncGenerator<readonly StreamRow[], void, undefined> {
  if (seed === undefined) {
    yield* stream.rows();
    return;
  }
  const random = epochRandom(seed, epoch);
  const buffer: StreamRow[] = [];
  for await (const rows of stream.rows()) {
    const drawn: StreamRow[] = [];
    for (const row of rows) {
      if (buffer.length < stream.buffer) {
        buffer.push(row);
        continue;
      }
      const at = random.integer(buffer.length);
      drawn.push(buffer[at] ?? row);
      buffer[at] = row;
    }
    if (drawn.length > 0) yield drawn;
  }
  yield random.shuffle(buffer);
}

/** Parts of `size` rows; the last one may have fewer. */
async function* cut(rows: AsyncIterable<readonly StreamRow[]>, size: number) {
  let part: StreamRow[] = [];
  for await (const some of rows) {
    for (const row of some) {
      part.push(row);
      if (part.length < size) continue;
      yield part;
      part = [];
    }
  }
  if (part.length > 0) yield part;
}

function collect<Name extends string>(stream: RowStream<Name>, rows: readonly StreamRow[]): Record<Name, NumberArray> {
  let offset = 0;
  const parts = Object.entries(stream.parts) as [Name, RowStream['parts'][string]][];
  const arrays = parts.map(([name, { shape, dtype }]): [Name, NumberArray] => {
    const width = sizeOf(shape);
    const values = allocate(dtype, rows.length * width);
    for (const [i, row] of rows.entries()) {
      for (let k = 0; k < width; k++) values[i * width + k] = row[offset + k] ?? 0;
    }
    offset += width;
    return [name, { values, shape: [rows.length, ...shape], dtype }];
  });
  return Object.fromEntries(arrays) as Record<Name, NumberArray>;
}
