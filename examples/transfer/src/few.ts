import { writeFile } from 'node:fs/promises';
import * as layers from '@tensorflow/tfjs-layers';
import { batches, loadLayersModel, sliceRows, type WorkerContext } from 'dag/worker';
import { CLASSES, openDigits } from './digits.ts';
import { accuracy, compile, createHead, createNetwork, SEEING, trainOn } from './network.ts';

interface Params {
  readonly few: {
    readonly seed: number;
    readonly steps: number;
    readonly batch: number;
    readonly learning_rate: number;
  };
}

/** Trains a network on 5 to 9, of which it is shown SHOTS each; START says on top of what. */
export default async function few(ctx: WorkerContext<Params>): Promise<void> {
  const { seed, steps, batch: size, learning_rate } = ctx.params.few;
  const { START: start, SHOTS: shots } = process.env;
  const all = await openDigits(ctx.dep('data'), 'high', 'train');
  const test = await openDigits(ctx.dep('data'), 'high', 'test');
  const count = Number(shots) * CLASSES;
  const shown = { x: sliceRows(all.x, 0, count), y: sliceRows(all.y, 0, count) };

  const model = start === 'transfer' ? await onTopOf(ctx.dep('models/base'), seed) : createNetwork(seed);
  compile(model, learning_rate);
  let step = 0;
  for await (const batch of batches(shown, { size, epochs: steps, shuffle: seed, signal: ctx.signal })) {
    const loss = await trainOn(model, batch);
    if (++step % 25 === 0) ctx.metric('loss', loss, step);
    ctx.progress({ done: step, total: steps });
    if (step === steps) break;
  }
  const metrics = { accuracy: await accuracy(model, test) };
  ctx.metric('accuracy', metrics.accuracy);
  await writeFile(ctx.out(`metrics/${start}-${shots}.json`), `${JSON.stringify(metrics)}\n`);
}

/** What the base network sees, frozen, and new layers that learn to tell the new digits apart by it. */
async function onTopOf(folder: string, seed: number): Promise<layers.Sequential> {
  const base = await loadLayersModel<layers.LayersModel>(layers, folder);
  const seeing = base.layers.slice(0, SEEING);
  for (const layer of seeing) layer.trainable = false;
  return layers.sequential({ layers: [...seeing, ...createHead(seed)] });
}
