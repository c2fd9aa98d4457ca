import { writeFile } from 'node:fs/promises';
import { train as optimizers } from '@tensorflow/tfjs-core';
import type { Sequential } from '@tensorflow/tfjs-layers';
import { saveLayersModel, type WorkerContext } from 'dag/worker';
import { type Digits, readDigits } from './data.ts';
import { createNetwork, predict, score, toTensors } from './network.ts';

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
  const { epochs, learning_rate, seed } = ctx.params.train;
  const all = await readDigits(ctx.dep('data/digits'), 'train');
  const kept = Math.floor(all.labels.length / KEEP_BACK);
  const shown = Uint32Array.from({ length: all.labels.length - kept }, (_, i) => kept + i);
  const validation = { images: all.images.subarray(0, kept * 784), labels: all.labels.subarray(0, kept) };

  const model = createNetwork(seed);
  model.compile({
    optimizer: optimizers.adam(learning_rate),
    loss: 'categoricalCrossentropy',
    metrics: ['accuracy'],
  });
  const lines = ['epoch,loss,accuracy,val_loss,val_accuracy'];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = ctx.randomStream(`epoch ${epoch}`).shuffle(shown.slice());
    const { loss, accuracy } = await runEpoch(ctx, model, all, order, epoch);
    const held = score(predict(model, validation), validation.labels);
    const row = { loss, accuracy, val_loss: held.loss, val_accuracy: held.accuracy };
    for (const [name, value] of Object.entries(row)) ctx.metric(name, value, epoch);
    lines.push([epoch, ...Object.values(row).map((value) => value.toFixed(6))].join(','));
  }
  await saveLayersModel(model, ctx.out('results/model'));
  await writeFile(ctx.out('results/training.csv'), `${lines.join('\n')}\n`);
}

/** Shows the network each digit once, in the given order; the mean loss and accuracy of the batches on the way. */
async function runEpoch(
  ctx: WorkerContext<Params>,
  model: Sequential,
  digits: Digits,
  order: Uint32Array,
  epoch: number,
): Promise<{ loss: number; accuracy: number }> {
  const { batch, epochs } = ctx.params.train;
  let loss = 0;
  let accuracy = 0;
  for (let start = 0; start < order.length; start += batch) {
    ctx.signal.throwIfAborted();
    const indices = order.subarray(start, start + batch);
    const { x, y } = toTensors(digits, indices);
    const [batchLoss = 0, batchAccuracy = 0] = (await model.trainOnBatch(x, y)) as number[];
    x.dispose();
    y.dispose();
    loss += batchLoss * indices.length;
    accuracy += batchAccuracy * indices.length;
    const done = (epoch - 1) * order.length + start + indices.length;
    const text = `epoch ${epoch} of ${epochs}, loss ${(loss / (start + indices.length)).toFixed(3)}`;
    ctx.progress({ done, total: epochs * order.length, text });
  }
  return { loss: loss / order.length, accuracy: accuracy / order.length };
}
