import { writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs-core';
import type { Sequential } from '@tensorflow/tfjs-layers';
import { type Batch, batches, saveLayersModel, sliceRows, toTensors, type WorkerContext } from 'dag/worker';
import { readDigits } from './data.ts';
import { createNetwork, predict, score } from './network.ts';
import { openDigits } from './rows.ts';

interface Params {
  readonly train: {
    readonly epochs: number;
    readonly batch: number;
    readonly learning_rate: number;
    readonly seed: number;
  };
}

/** One in so many digits of the training set is kept back, to see how well the network does on what it was not shown. */
const KEEP_BACK = 10;

/** Trains the network, and saves it with a log of its epochs. */
export default async function train(ctx: WorkerContext<Params>): Promise<void> {
  const { epochs, batch, learning_rate, seed } = ctx.params.train;
  const folder = ctx.dep('data/digits');
  const { labels } = await readDigits(folder, 'train');
  const { x, y } = await openDigits(folder, 'train');
  const kept = Math.floor(x.count / KEEP_BACK);
  const heldBack = sliceRows(x, 0, kept);
  const shown = { x: sliceRows(x, kept), y: sliceRows(y, kept) };
  const feed = batches(shown, { size: batch, shuffle: ctx.seed, signal: ctx.signal });

  const model = createNetwork(seed);
  model.compile({
    optimizer: tf.train.adam(learning_rate),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const lines = ['epoch,loss,accuracy,val_loss,val_accuracy'];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const { loss, accuracy } = await runEpoch(feed.epoch(epoch), model, (rows, soFar) => {
      const done = (epoch - 1) * shown.x.count + rows;
      const text = `epoch ${epoch} of ${epochs}, loss ${soFar.toFixed(3)}`;
      ctx.progress({ done, total: epochs * shown.x.count, text });
    });
    const held = score(await predict(model, heldBack), labels.subarray(0, kept));
    const row = { loss, accuracy, val_loss: held.loss, val_accuracy: held.accuracy };
    for (const [name, value] of Object.entries(row)) ctx.metric(name, value, epoch);
    lines.push([epoch, ...Object.values(row).map((value) => value.toFixed(6))].join(','));
  }
  await saveLayersModel(model, ctx.out('results/model'));
  await writeFile(ctx.out('results/training.csv'), `${lines.join('\n')}\n`);
}

/** Shows the network each batch once; the mean loss and accuracy on the way. `onBatch` is told after each how it stands. */
async function runEpoch(
  feed: AsyncIterable<Batch<'x' | 'y'>>,
  model: Sequential,
  onBatch: (rows: number, loss: number) => void,
): Promise<{ loss: number; accuracy: number }> {
  let loss = 0;
  let accuracy = 0;
  let rows = 0;
  for await (const batch of feed) {
    const { x, y } = toTensors(tf, batch);
    const [batchLoss = 0, batchAccuracy = 0] = (await model.trainOnBatch(x, y)) as number[];
    tf.dispose([x, y]);
    loss += batchLoss * batch.size;
    accuracy += batchAccuracy * batch.size;
    rows += batch.size;
    onBatch(rows, loss / rows);
  }
  return { loss: loss / rows, accuracy: accuracy / rows };
}
