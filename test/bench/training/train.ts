import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  batches,
  divideRows,
  oneHotRows,
  openArray,
  openImages,
  type RowStream,
  type Rows,
  readCsv,
  reshapeRows,
  saveLayersModel,
  streamCsv,
  toTensors,
  type WorkerContext,
} from 'dag/worker';

type TensorFlow = typeof import('@tensorflow/tfjs-core') & typeof import('@tensorflow/tfjs-layers');

interface Params {
  readonly bench: { readonly input: Input; readonly steps: number; readonly train: boolean };
}

/** Where digits come from: array files whole in memory, or read row by row; pictures; a table with a column a pixel, whole or streamed. */
export type Input = 'arrays' | 'array files' | 'PNGs' | 'CSV' | 'CSV stream';

/** What `result.json` says of a run: all but its first steps. */
export interface Result {
  readonly images: number;
  readonly seconds: number;
  /** Of these, how many the training waited for its input. */
  readonly waited: number;
}

const SIZE = 32;
const WARM_UP = 5;

/** Trains the network of `packages/digits` for some steps, or goes through its input alone; says how long that took. */
export default async function train(ctx: WorkerContext<Params>): Promise<void> {
  const { input, steps, train: trains } = ctx.params.bench;
  const from = await open(ctx.dep('data'), input);
  const feed = batches(from, { size: SIZE, epochs: 1000, shuffle: ctx.seed, signal: ctx.signal });
  const tf = trains ? await ctx.tensorflow<TensorFlow>() : undefined;
  const model = tf && network(tf);
  let began = { time: performance.now(), waited: 0 };
  let images = 0;
  let step = 0;
  for await (const batch of feed) {
    if (step === WARM_UP) began = { time: performance.now(), waited: feed.waited.milliseconds };
    if (tf !== undefined && model !== undefined) {
      const { x, y } = toTensors(tf, batch);
      const grey = tf.tidy(() => tf.reshape(x, [-1, 28, 28, 1]));
      const pixels = input.startsWith('array') ? grey : tf.div(grey, 255);
      const classes = tf.tidy(() => (y.rank === 1 ? tf.cast(tf.oneHot(y, 10), 'float32') : y));
      const [loss = 0] = (await model.trainOnBatch(pixels, classes)) as number[];
      tf.dispose([x, y, grey, pixels, classes]);
      ctx.progress({ done: step, total: steps });
      if (step % 50 === 0) ctx.metric('loss', loss, step);
    }
    if (step >= WARM_UP) images += batch.size;
    if (++step === steps) break;
  }
  const seconds = (performance.now() - began.time) / 1000;
  const result: Result = { images, seconds, waited: (feed.waited.milliseconds - began.waited) / 1000 };
  await writeFile(ctx.out('result.json'), JSON.stringify(result));
  if (model === undefined) await mkdir(ctx.out('model'));
  else await saveLayersModel(model, ctx.out('model'));
}

type From = { readonly x: Rows; readonly y: Rows } | RowStream<'x' | 'y'>;

async function open(folder: string, input: Input): Promise<From> {
  if (input === 'CSV' || input === 'CSV stream') {
    const file = join(folder, 'digits.csv');
    const parts = { x: Array.from({ length: 784 }, (_, i) => `p${i}`), y: 'label' };
    const options = { buffer: 1000, classes: { label: [...'0123456789'] } };
    return input === 'CSV' ? await readCsv(file, parts, options) : streamCsv(file, parts, options);
  }
  if (input === 'PNGs') {
    const { pixels, labels } = await openImages(join(folder, 'pictures'), { channels: 1 });
    return { x: pixels, y: oneHotRows(labels, 10) };
  }
  const options = input === 'array files' ? { memory: 0 } : {};
  const images = await openArray(join(folder, 'train-images.idx3-ubyte'), options);
  const labels = await openArray(join(folder, 'train-labels.idx1-ubyte'), options);
  return { x: divideRows(reshapeRows(images, [28, 28, 1]), 255), y: oneHotRows(labels, 10) };
}

function network(tf: TensorFlow) {
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 1 });
  const activation = 'relu';
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ inputShape: [28, 28, 1], filters: 8, kernelSize: 5, activation, kernelInitializer }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.conv2d({ filters: 16, kernelSize: 3, activation, kernelInitializer }),
      tf.layers.maxPooling2d({ poolSize: 2 }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 64, activation, kernelInitializer }),
      tf.layers.dense({ units: 10, activation: 'softmax', kernelInitializer }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}
