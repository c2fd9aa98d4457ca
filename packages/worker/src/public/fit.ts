import type { WorkerContext } from '../public.ts';

/** What `fitCallbacks` is to report. */
export interface FitOptions {
  /**
   * Also report each batch, as `batch/loss` and so on, by how many the model's optimizer has seen: in all epochs, all calls of
   * `fit`, and before a checkpoint that was restored. It makes TensorFlow wait for the numbers of each batch, as any batch
   * callback does.
   */
  readonly batches?: boolean;
  /** Written before each name: `fold1/`. */
  readonly prefix?: string;
  /** The number of the first epoch in what is reported: for a training that goes on where another stopped. */
  readonly firstEpoch?: number;
  /** Whether to tell how far the training is, where `fit` goes through several epochs (default true). */
  readonly progress?: boolean;
}

/** For the `callbacks` of `model.fit` or `model.fitDataset`, alone or in a list. */
export interface FitCallbacks {
  onTrainBegin(logs?: object): Promise<void>;
  onTrainEnd(logs?: object): Promise<void>;
  onEpochBegin(epoch: number, logs?: object): Promise<void>;
  onEpochEnd(epoch: number, logs?: object): Promise<void>;
  onBatchBegin(batch: number, logs?: object): Promise<void>;
  readonly onBatchEnd?: (batch: number, logs?: object) => Promise<void>;
  setParams(params: object): void;
  setModel(model: object): void;
}

/** The longest time for which training holds the event loop between two batches, in milliseconds. */
const TURN_MS = 100;

/** As much of a tfjs model as numbering its batches needs. */
export interface Trained {
  readonly optimizer?: object | null;
}

/** What tfjs puts on a callback before training, or on the object that it makes of one. */
interface Surroundings {
  params?: { readonly epochs?: unknown } | undefined;
}

/**
 * Reports a training by tfjs: each number of each epoch (`loss`, `val_loss`, `acc` …) as a metric with the epoch, from 1, as its
 * step, and how far it is. When the stage is interrupted, `fit` throws `ctx.signal.reason` before the next batch: of an epoch that
 * was cut short nothing is reported, and nothing that stands behind `fit` takes it for a whole one, a checkpoint least of all.
 *
 * In a list, it goes beside other plain callbacks; beside objects of `tf.callbacks` (`earlyStopping`), which must come first,
 * too.
 * @param model the one that is trained.
 */
export function fitCallbacks(
  context: Pick<WorkerContext, 'metric' | 'progress' | 'signal'>,
  model: Trained,
  options: FitOptions = {},
): FitCallbacks {
  const { batches = false, prefix = '', firstEpoch = 1, progress = true } = options;
  const { signal } = context;
  let epochs = 0;
  let first: number | undefined;
  let batchesSeen = 0;
  let wrapped = true;
  let turnedAt = performance.now();
  /** Lets the event loop turn now and then: tfjs does so only with callbacks that it made itself, and no signal comes else. */
  const turn = async () => {
    if (wrapped || performance.now() - turnedAt < TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    turnedAt = performance.now();
  };
  const onBatchEnd = async (_batch: number, logs?: object) => {
    batchesSeen++;
    if (batches) await report(context, `${prefix}batch/`, logs, updatesOf(model) ?? batchesSeen);
  };
  return {
    // tfjs calls it as a method: of an object that it made of this one, or of this one.
    async onTrainBegin(this: Surroundings) {
      const { epochs: all } = this.params ?? {};
      epochs = typeof all === 'number' ? all : 0;
    },
    async onTrainEnd() {},
    async onEpochBegin(epoch: number) {
      first ??= epoch;
      signal.throwIfAborted();
    },
    async onEpochEnd(epoch: number, logs?: object) {
      const number = epoch + firstEpoch;
      await report(context, prefix, logs, number);
      // A single epoch is a step of a loop: it is no end of the whole.
      if (progress && epochs - (first ?? 0) > 1) {
        context.progress({ done: number, total: epochs + firstEpoch - 1, text: `epoch ${number}` });
      }
    },
    async onBatchBegin() {
      await turn();
      signal.throwIfAborted();
    },
    // Left out where tfjs asks for it only to know whether to wait for the numbers of each batch.
    get onBatchEnd() {
      return batches || !wrapped ? onBatchEnd : undefined;
    },
    setParams(this: Surroundings, params: object) {
      this.params = params;
    },
    // Only called on callbacks that are used as they are, which must have all methods.
    setModel() {
      wrapped = false;
    },
  } as FitCallbacks;
}

/** How often an optimizer of tfjs has changed the weights; restored with it from a checkpoint. */
function updatesOf({ optimizer }: Trained): number | undefined {
  const { iterations } = (optimizer ?? {}) as { readonly iterations?: unknown };
  return typeof iterations === 'number' && iterations > 0 ? iterations : undefined;
}

async function report(
  context: Pick<WorkerContext, 'metric'>,
  prefix: string,
  logs: object | undefined,
  step: number,
): Promise<void> {
  for (const [name, value] of Object.entries(logs ?? {})) {
    if (name === 'batch' || name === 'size' || name === 'epoch') continue;
    const number = typeof value === 'number' ? value : await scalarOf(value);
    if (number !== undefined) context.metric(`${prefix}${name}`, number, step);
  }
}

/** The number in a scalar tensor. */
async function scalarOf(value: unknown): Promise<number | undefined> {
  const { data } = (value ?? {}) as { data?: () => Promise<ArrayLike<number>> };
  return typeof data === 'function' ? (await data.call(value))[0] : undefined;
}
