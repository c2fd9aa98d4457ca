import type { Batch } from './batch.ts';
import type { Batches } from './batches.ts';

/** As much of TensorFlow.js as making tensors needs. */
interface TensorFlowLike<Tensor> {
  // biome-ignore lint/suspicious/noExplicitAny: tfjs's own types, which are not ours to import
  tensor(values: any, shape: any, dtype: any): Tensor;
}

/** A batch as tensors of the same names: uint8 and int32 as int32, float32 as float32. The caller disposes of them. */
export function toTensors<Tensor, Name extends string>(
  tf: TensorFlowLike<Tensor>,
  batch: Pick<Batch<Name>, 'data'>,
): Record<Name, Tensor> {
  const tensors: Partial<Record<Name, Tensor>> = {};
  for (const name of Object.keys(batch.data) as Name[]) {
    const { values, shape, dtype } = batch.data[name];
    tensors[name] = tf.tensor(values, shape, dtype === 'float32' ? 'float32' : 'int32');
  }
  return tensors as Record<Name, Tensor>;
}

/** What `model.fitDataset` and `model.evaluateDataset` take. */
export interface Dataset {
  /** Batches of an epoch; Infinity where that is not known. */
  readonly size: number;
  // biome-ignore lint/suspicious/noExplicitAny: fitDataset asks for a class of tfjs-data of which it calls just this
  iterator(): Promise<any>;
  /** Lets go of files after a training that was stopped within an epoch. */
  close(): Promise<void>;
}

/**
 * Batches for `model.fitDataset`: each of its epochs gets the next one. `xs` and `ys` name which arrays are the model's
 * input and what it is to learn; `firstEpoch` is where a training that goes on begins. Leave `batchesPerEpoch` out of
 * fitDataset's arguments.
 * @throws TypeError for something else than `batches` gives, one epoch of it among them.
 */
export function toDataset<Name extends string>(
  tf: TensorFlowLike<unknown>,
  feed: Batches<Name>,
  { xs, ys, firstEpoch = 1 }: { readonly xs: Name; readonly ys: Name; readonly firstEpoch?: number },
): Dataset {
  if (typeof feed.epoch !== 'function')
    throw new TypeError('toDataset takes all that batches() gives; `firstEpoch` says which epoch comes first');
  let epoch = firstEpoch;
  let open: AsyncIterator<Batch<Name>> | undefined;
  const close = async () => {
    await open?.return?.();
    open = undefined;
  };
  const iterator = async () => {
    let mine: AsyncIterator<Batch<Name>> | undefined;
    const next = async () => {
      if (mine === undefined) {
        // fitDataset asks for iterators that it never uses; only one that is used is an epoch.
        await close();
        mine = feed.epoch(epoch++)[Symbol.asyncIterator]();
        open = mine;
      }
      const { value, done } = await mine.next();
      if (done === true) return { value: null, done: true };
      const tensors = toTensors(tf, value);
      for (const name of Object.keys(tensors) as Name[]) {
        if (name !== xs && name !== ys) (tensors[name] as { dispose?(): void }).dispose?.();
      }
      return { value: { xs: tensors[xs], ys: tensors[ys] }, done: false };
    };
    return { next };
  };
  return { size: feed.batchesPerEpoch ?? Number.POSITIVE_INFINITY, iterator, close };
}
