import type { WorkerContext } from '../public.ts';

/** What `fitCallbacks` is to report. */
export interface FitOptions {
  /**
   * Also report each batch, as `batch/loss` and so on by its number over all epochs. It makes TensorFlow wait for the numbers of
   * each batch, as any batch callback does.
   */
  readonly batches?: boolean;
  /** Written before each name: `fold1/`. */
  readonly prefix?: string;
  /** The number of the first epoch in what is reported: for a training that goes on where another stopped. */
  readonly firstEpoch?: number;
  /** Whether to tell how far the training is (default true). */
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

/** As much of a tfjs model as ending its training needs. */
export interface Stoppable {
  stopTraining: boolean;
}

/** What tfjs puts on a callback before training, or on the object that it makes of one. */
interface Surroundings {
  params?: { readonly epochs?: unknown } | undefined;
}

/**
 * Reports a training by tfjs: each number of each epoch (`loss`, `val_loss`, `acc` …) as a metric with the epoch, from 1, as its
 * step, and how far it is. When the stage is interrupted, training stops after the batch in hand, and `fit` returns.
 *
 * In a list, it goes beside other plain callbacks; beside objects of `tf.callbacks` (`earlyStopping`), which must come first,
 * too.
 * @param model the one that is trained.
 */
export function fitCallbacks(
  context: Pick<WorkerContext, 'metric' | 'progress' | 'signal'>,
  model: Stoppable,
  options: FitOptions = {},
): FitCallbacks {
  const { batches = false, prefix = '', firstEpoch = 1, progress = true } = options;
  const { signal } = context;
  let epochs = 0;
  let batchesSeen = 0;
  let wrapped = true;
  let turnedAt = performance.now();
  /** Lets the event loop turn now and then: tfjs does so only with callbacks that it made itself, and no signal comes else. */
  const turn = async () => {
    if (wrapped || performance.now() - turnedAt < TURN_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    turnedAt = performance.now();
  };
  const stopIfAsked = () => {
    if (signal.aborted) model.stopTraining = true;
  };
  const onBatchEnd = async (_batch: number, logs?: object) => {
    batchesSeen++;
    if (batches) await report(context, `${prefix}batch/`, logs, batchesSeen);
    stopIfAsked();
  };
  return {
    // tfjs calls it as a method: of an object that it made of this one, or of this one.
    async onTrainBegin(this: Surroundings) {
      const { epochs: all } = this.params ?? {};
      epochs = typeof all === 'number' ? all : 0;
      stopIfAsked();
    },
    async onTrainEnd() {},
    async onEpochBegin() {
      stopIfAsked();
    },
    async onEpochEnd(epoch: number, logs?: object) {
      const number = epoch + firstEpoch;
      await report(context, prefix, logs, number);
      if (progress && epochs > 0) {
        context.progress({ done: number, total: epochs + firstEpoch - 1, text: `epoch ${number}` });
      }
      stopIfAsked();
    },
    async onBatchBegin() {
      await turn();
      stopIfAsked();
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
