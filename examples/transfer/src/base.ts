import { writeFile } from 'node:fs/promises';
import { batches, saveLayersModel, type WorkerContext } from 'dag/worker';
import { openDigits } from './digits.ts';
import { accuracy, compile, createNetwork, trainOn } from './network.ts';

interface Params {
  readonly base: {
    readonly seed: number;
    readonly epochs: number;
    readonly batch: number;
    readonly learning_rate: number;
  };
}

/** Trains a network on 0 to 4. */
export default async function base(ctx: WorkerContext<Params>): Promise<void> {
  const { seed, epochs, batch: size, learning_rate } = ctx.params.base;
  const { x, y } = await openDigits(ctx.dep('data'), 'low', 'train');
  const test = await openDigits(ctx.dep('data'), 'low', 'test');
  const feed = batches({ x, y }, { size, shuffle: seed, signal: ctx.signal });

  const model = createNetwork(seed);
  compile(model, learning_rate);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    let loss = 0;
    for await (const batch of feed.epoch(epoch)) {
      loss += (await trainOn(model, batch)) * batch.size;
      ctx.progress({ done: (epoch - 1) * x.count + batch.batch * size, total: epochs * x.count });
    }
    ctx.metric('loss', loss / x.count, epoch);
    ctx.metric('accuracy', await accuracy(model, test), epoch);
  }
  await saveLayersModel(model, ctx.out('models/base'));
  const metrics = { accuracy: await accuracy(model, test) };
  await writeFile(ctx.out('metrics/base.json'), `${JSON.stringify(metrics)}\n`);
}
