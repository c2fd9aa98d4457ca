import type { WorkerContext } from './public.ts';

/** How long the probe trains, in milliseconds, after a first step that is not counted. */
const TRAINS_MS = 1000;
const BATCH = 64;

/** What the probe prints, as JSON on a line of its own. */
export interface Probed {
  readonly steps: number;
  readonly images: number;
  readonly seconds: number;
}

/**
 * Trains a small convolutional network on noise for a second, on whatever backend it is given: that of our digits, without the
 * layers library, so that a backend can be tried where that is not installed.
 */
export default async function probe(ctx: WorkerContext): Promise<void> {
  const tf = await ctx.tensorflow<typeof import('@tensorflow/tfjs-core')>();
  const weight = (...shape: number[]) => tf.variable(tf.randomNormal(shape, 0, 0.1));
  const [first, second] = [weight(5, 5, 1, 8), weight(3, 3, 8, 16)] as const;
  const [hidden, out] = [weight(400, 64), weight(64, 10)] as const;
  const optimizer = tf.train.adam(0.002);
  const batch = ctx.backend === 'cpu' ? 4 : BATCH;
  const x = tf.randomUniform([batch, 28, 28, 1]) as import('@tensorflow/tfjs-core').Tensor4D;
  const y = tf.cast(tf.oneHot(tf.range(0, batch, 1, 'int32'), 10), 'float32');
  const pool = (of: import('@tensorflow/tfjs-core').Tensor4D) => tf.maxPool(tf.relu(of), 2, 2, 'valid');
  const step = async () => {
    const loss = optimizer.minimize(() => {
      const small = pool(tf.conv2d(pool(tf.conv2d(x, first as never, 1, 'valid')), second as never, 1, 'valid'));
      const flat = tf.reshape(small, [batch, 400]);
      const logits = tf.matMul(tf.relu(tf.matMul(flat, hidden as never)), out as never);
      return tf.losses.softmaxCrossEntropy(y, logits);
    }, true);
    await loss?.data();
    loss?.dispose();
  };
  await step();
  const start = performance.now();
  let steps = 0;
  while (steps === 0 || performance.now() - start < TRAINS_MS) {
    await step();
    steps++;
  }
  const seconds = (performance.now() - start) / 1000;
  ctx.log(JSON.stringify({ steps, images: steps * batch, seconds } satisfies Probed));
}
