import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type * as Core from '@tensorflow/tfjs-core';
import type * as Layers from '@tensorflow/tfjs-layers';
import { batches, oneHotRows, openArray, saveLayersModel, toTensors, type WorkerContext } from 'dag/worker';

interface Params {
  readonly network: {
    readonly epochs: number;
    readonly batch: number;
    readonly learning_rate: number;
    readonly seed: number;
  };
  readonly features: { readonly size: number };
}

/** Trains a small dense network, which saves itself after each epoch and goes on from there when it was ended. */
export default async function network(ctx: WorkerContext<Params>): Promise<void> {
  const tf = await ctx.tensorflow<typeof Core & typeof Layers>();
  const { epochs, batch: size, learning_rate, seed } = ctx.params.network;
  const folder = ctx.dep('data/features');
  const languages: string[] = JSON.parse(await readFile(join(folder, 'languages.json'), 'utf8'));
  const open = async (part: string) => ({
    x: await openArray(join(folder, `${part}-x.npy`)),
    labels: await openArray(join(folder, `${part}-y.npy`)),
  });
  const [train, test] = [await open('train'), await open('test')];
  const shown = { x: train.x, y: oneHotRows(train.labels, languages.length) };
  const feed = batches(shown, { size, shuffle: seed, signal: ctx.signal });

  const start = (layer: number) => tf.initializers.glorotUniform({ seed: seed * 10 + layer });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({
        ...{ inputShape: [ctx.params.features.size], units: 48, activation: 'relu', kernelInitializer: start(0) },
      }),
      tf.layers.dense({ units: languages.length, activation: 'softmax', kernelInitializer: start(1) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(learning_rate), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });

  await ctx.checkpoint.loop(model, epochs, async (done) => {
    const epoch = done + 1;
    let loss = 0;
    for await (const batch of feed.epoch(epoch)) {
      const { x, y } = toTensors(tf, batch);
      const [batchLoss = Number.NaN] = (await model.trainOnBatch(x, y)) as number[];
      tf.dispose([x, y]);
      loss += batchLoss * batch.size;
      ctx.progress({ done: done * train.x.count + batch.batch * size, total: epochs * train.x.count });
    }
    ctx.metric('loss', loss / train.x.count, epoch);
  });

  const answers: string[] = [];
  let right = 0;
  for await (const { data } of batches(test, { size: 256 })) {
    const { x } = data;
    const guesses = tf.tidy(() => {
      const scores = model.predict(tf.tensor2d(x.values, x.shape as [number, number])) as Core.Tensor;
      return tf.argMax(scores, 1).dataSync();
    });
    for (const [i, label] of data.labels.values.entries()) {
      if (guesses[i] === label) right++;
      answers.push(`${languages[label]},${languages[guesses[i] ?? 0]}`);
    }
  }
  const accuracy = right / test.x.count;
  ctx.metric('accuracy', accuracy);
  await saveLayersModel(model, ctx.out('results/network'));
  await writeFile(ctx.out('results/network.csv'), `actual,predicted\n${answers.join('\n')}\n`);
  await writeFile(ctx.out('results/network.json'), `${JSON.stringify({ accuracy: Number(accuracy.toFixed(6)) })}\n`);
}
