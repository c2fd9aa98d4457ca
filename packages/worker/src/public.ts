/**
 * What a worker module imports from `dag/worker`: the type of the context that its default export is called with, and
 * helpers for data, training and models. This file imports nothing but Node.
 */
export type {
  CheckpointInterval,
  CheckpointModel,
  CheckpointOptimizer,
  CheckpointParts,
  CheckpointState,
  Checkpoints,
  CheckpointTensor,
  CheckpointVariable,
  Restored,
} from './public/checkpoint.ts';
export * from './public/data.ts';
export { type FitCallbacks, type FitOptions, fitCallbacks, type Trained } from './public/fit.ts';
export { type LayersModelLike, loadLayersModel, saveLayersModel } from './public/model.ts';
export { createRandom, type Random, type RandomPosition } from './public/random.ts';

/** The shape of a worker module's default export. */
export type WorkerMain<P = WorkerParams> = (context: WorkerContext<P>) => void | Promise<void>;

/** Parameters, nested as in the params file. State their types yourself: `WorkerContext<{ train: { lr: number } }>`. */
export type WorkerParams = { readonly [key: string]: unknown };

/** How far the stage is: a fraction from 0 to 1, or `done` of `total` in whatever unit the stage counts. */
export type WorkerProgress =
  | number
  | { readonly done: number; readonly total: number; readonly text?: string }
  | { readonly fraction?: number; readonly text: string };

/**
 * An image: the bytes of a PNG or JPEG file; or its pixels, row by row from the top, channels (1 grey, 2 grey and alpha, 3
 * RGB, 4 RGBA) interleaved. Pixels run from 0 to 255, in a Float32Array or Float64Array from 0 to 1.
 */
export type WorkerImage =
  | Uint8Array
  | {
      readonly width: number;
      readonly height: number;
      readonly channels: number;
      readonly pixels: Uint8Array | Uint8ClampedArray | Float32Array | Float64Array | readonly number[];
    };

/** All that a stage module has to do with the world: what it declared in pipeline.yaml, and nothing else. */
export interface WorkerContext<P = WorkerParams> {
  /** The stage's address. */
  readonly stage: string;
  /** The stage's seed: its declared param whose last part is `seed`, 0 without one. Math.random is seeded with it too. */
  readonly seed: number;
  /** The declared params. Reading one that is not declared throws. */
  readonly params: P;
  /** What TensorFlow runs on (`gpu`, `node`, `webgpu`, `wasm`, `cpu`); undefined while TensorFlow is not loaded. */
  readonly backend: string | undefined;
  /** Aborted when the stage is interrupted or out of time; the process is killed a few seconds later. */
  readonly signal: AbortSignal;
  /** Absolute path of a declared dep, or of something inside one, as written in pipeline.yaml. Throws for any other. */
  dep(path: string): string;
  /** Absolute path of a declared out, or of something inside one; the folder that holds it is made. Throws for any other. */
  out(path: string): string;
  /**
   * Reports a number, live. `step` is the epoch or batch it belongs to. It is kept when this returns, whatever becomes of the
   * process, and takes some microseconds.
   */
  metric(name: string, value: number, step?: number): void;
  /** Reports how values (weights, gradients) are spread. */
  histogram(name: string, values: ArrayLike<number>, step?: number): void;
  /** Reports an image. Of one run 1,000 are kept, and 256 MiB. */
  image(name: string, image: WorkerImage, step?: number): void;
  progress(progress: WorkerProgress): void;
  /** One or more lines for the user, among the stage's other output. */
  log(text: string): void;
  /** The next number of a stream in [0, 1) that the seed decides. */
  random(): number;
  /** Another stream, which the seed and a name decide: what one part draws does not shift what another gets. */
  randomStream(name: string): import('./public/random.ts').Random;
  /** What outlives a kill: saved while the stage runs, taken up by its next run. */
  readonly checkpoint: import('./public/checkpoint.ts').Checkpoints;
  /**
   * TensorFlow.js, from the project's own packages, with the backend set up: all of `@tensorflow/tfjs` or tfjs-node where
   * installed, otherwise tfjs-core with tfjs-layers beside it. A module that imports `@tensorflow/…` itself needs no call.
   */
  tensorflow<T>(): Promise<T>;
}
