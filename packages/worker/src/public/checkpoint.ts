/** A tfjs model with layers. Its compiled optimizer, if it has one, belongs to it. */
export interface CheckpointModel {
  getWeights(): CheckpointTensor[];
  // biome-ignore lint/suspicious/noExplicitAny: tfjs's own Tensor, whose type is not ours to import
  setWeights(weights: any[]): void;
  readonly optimizer?: unknown;
}

/** A tfjs optimizer of a training loop of one's own. */
export interface CheckpointOptimizer {
  getWeights(): Promise<{ name: string; tensor: CheckpointTensor }[]>;
  // biome-ignore lint/suspicious/noExplicitAny: tfjs's own NamedTensor
  setWeights(weights: any[]): Promise<void>;
  // biome-ignore lint/suspicious/noExplicitAny: tfjs's own gradients
  applyGradients(gradients: any): void;
}

/** A tfjs variable. */
export interface CheckpointVariable extends CheckpointTensor {
  // biome-ignore lint/suspicious/noExplicitAny: tfjs's own Tensor
  assign(value: any): void;
}

/** As much of a tfjs tensor as a checkpoint needs. */
export interface CheckpointTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  // biome-ignore lint/suspicious/noExplicitAny: an array of the tensor's own type
  data(): Promise<any>;
}

type Part = CheckpointModel | CheckpointOptimizer | CheckpointVariable;

/** What holds the weights: a model, or several parts by name. */
export type CheckpointParts = Part | { readonly [name: string]: Part };

/** What is kept beside the weights: anything that can be cloned (JSON, typed arrays, maps, dates), with the step it belongs to. */
export interface CheckpointState {
  /** How much is done: epochs, batches, files. An integer from 0. */
  readonly step: number;
  readonly [key: string]: unknown;
}

/** What a checkpoint gave back. */
export interface Restored<S extends CheckpointState = CheckpointState> {
  readonly step: number;
  /** When it was saved. */
  readonly at: Date;
  readonly state: S;
}

/** When it is time to save: so many steps, or so many seconds, after the last time. */
export interface CheckpointInterval {
  readonly steps?: number;
  readonly seconds?: number;
}

/**
 * Checkpoints of a run: what is saved outlives a kill or a power loss, and the next run with the same code, deps and params
 * goes on from there. They go when the stage has finished.
 */
export interface Checkpoints {
  /** Absolute path of the folder that holds them, empty at first. Files of one's own may lie there too. */
  readonly folder: string;
  /**
   * Takes the newest checkpoint that is whole: puts the weights into `parts`, with the optimizer's state, and moves the random
   * streams (`ctx.random`, Math.random, those taken from `ctx.randomStream` before this call) to where they were.
   * Undefined where there is none: the stage begins. Call it once, when the model is built and before training.
   * @throws where the checkpoint holds other weights than `parts` has room for, or some and there are no `parts`.
   */
  restore<S extends CheckpointState>(parts?: CheckpointParts): Promise<Restored<S> | undefined>;
  /** The newest checkpoint that is whole, only looked at. */
  latest<S extends CheckpointState>(): Promise<Restored<S> | undefined>;
  /**
   * Saves, and resolves when the checkpoint is durable; the ones before stay until then. Await it before training goes on. True
   * where it succeeded; where the disk is full, say, it warns and gives false, and the training may go on. When the stage has been
   * told to end, this is its last act: it throws once the checkpoint is there.
   */
  save(parts: CheckpointParts | undefined, state: CheckpointState): Promise<boolean>;
  /** A question for a loop: is it time to save after this step? Also when the stage has been told to end. */
  every(interval: CheckpointInterval): (step: number) => boolean;
  /**
   * Restores, then calls `body` with each step from there to `steps - 1`, and saves when it is time (by default after each).
   * How far it is is shown, unless the module says so itself (`ctx.progress`).
   * With `model.fit`, make a step of an epoch: `model.fit(x, y, { initialEpoch: epoch, epochs: epoch + 1 })`.
   */
  loop(
    parts: CheckpointParts | undefined,
    steps: number,
    body: (step: number) => unknown,
    interval?: CheckpointInterval,
  ): Promise<void>;
}
