import fs from 'node:fs';
import { join } from 'node:path';
import type { BackendPins } from '@dag/model';
import { beforeEach, describe, expect, test } from 'vitest';
import { needRig } from '../../../test/rigs/s3.ts';
import { missingTfjsNode, missingWebGpu, tfjsNode, usePackages, webGpu } from '../../../test/rigs/tensorflow.ts';
import { type ChildRun, runChild, workerRig, writeFiles } from './rig.ts';

const worker = workerRig();

/** Trains a network, with nothing seeded by hand, and writes its weights, and numbers of all else that draws some. */
const TRAIN = `
import fs from 'node:fs';
export default async (ctx: any) => {
  const tf = await ctx.tensorflow();
  const model = tf.sequential();
  model.add(tf.layers.conv2d({ inputShape: [12, 12, 1], filters: 4, kernelSize: 3, activation: 'relu' }));
  model.add(tf.layers.maxPooling2d({ poolSize: 2 }));
  model.add(tf.layers.flatten());
  model.add(tf.layers.dropout({ rate: 0.25 }));
  model.add(tf.layers.dense({ units: 8, kernelInitializer: tf.data === undefined ? 'glorotNormal' : 'orthogonal' }));
  model.add(tf.layers.dense({ units: 2, activation: 'softmax', kernelInitializer: 'heNormal' }));
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy' });
  // A software GPU compiles each operation anew for seconds.
  const [n, epochs] = ctx.backend === 'webgpu' ? [16, 2] : [64, 4];
  const pixels = Float32Array.from({ length: n * 144 }, (_, i) => ((i >> 3) % 2 === Math.floor(i / 144) % 2 ? 1 : 0) + Math.random() / 4);
  const x = tf.tensor4d(pixels, [n, 12, 12, 1]);
  const y = tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(Array.from({ length: n }, (_, i) => i % 2), 'int32'), 2), 'float32'));
  const { history } = await model.fit(x, y, { epochs, batchSize: 16, shuffle: true, verbose: 0 });
  ctx.metric('first', history.loss[0]);
  ctx.metric('last', history.loss.at(-1));
  const drawn = [
    ...model.getWeights(), tf.randomUniform([9]), tf.randomNormal([9]), tf.truncatedNormal([9]), tf.randomGamma([9], 2), tf.rand([9], Math.random),
    tf.tensor1d(Float32Array.from(tf.util.createShuffledIndices(50))), tf.dropout(tf.ones([50]), 0.5),
    tf.multinomial(tf.tensor1d([0.1, 0.2, 0.3]), 50), tf.multinomial(tf.tensor1d([0.1, 0.2, 0.3]), 50, 7),
  ];
  if (tf.data !== undefined) {
    for (const seed of [undefined, '0', '5']) {
      drawn.push(tf.tensor1d(await tf.data.array(Array.from({ length: 30 }, (_, i) => i)).shuffle(30, seed).toArray()));
    }
  }
  const bytes = [];
  for (const tensor of drawn) bytes.push(Buffer.from(new Float32Array(await tensor.data()).buffer));
  fs.writeFileSync(ctx.out('drawn'), Buffer.concat(bytes));
};`;

interface Trained {
  readonly drawn: string;
  readonly losses: readonly number[];
  readonly run: ChildRun;
}

async function train(seed: number, backend: BackendPins, env: Readonly<Record<string, string>> = {}): Promise<Trained> {
  const run = await runChild(worker.built, worker.root, { seed, outs: ['drawn'], backend, env });
  const last = run.messages.at(-1);
  if (last?.type !== 'done') throw new Error(`${JSON.stringify(last)}\n${run.output}`);
  const drawn = fs.readFileSync(join(worker.root, 'drawn')).toString('hex');
  return { run, drawn, losses: run.reported.flatMap((line) => ('value' in line ? [line.value] : [])) };
}

function facts({ run }: Trained): unknown {
  const last = run.messages.at(-1);
  return last?.type === 'done' ? last.backend : undefined;
}

/** That a seed decides all, and another all differently. */
async function expectDecided(backend: BackendPins, env: Readonly<Record<string, string>> = {}): Promise<Trained> {
  const first = await train(5, backend, env);
  const second = await train(5, backend, env);
  expect(second.drawn).toBe(first.drawn);
  expect(second.losses).toEqual(first.losses);
  const other = await train(6, backend, env);
  expect(other.drawn).not.toBe(first.drawn);
  const [start = 0, end = 1] = first.losses;
  expect(end).toBeLessThan(start);
  return first;
}

describe('on the native library', () => {
  beforeEach((context) => {
    needRig(context, missingTfjsNode());
    usePackages(worker.root, tfjsNode());
    writeFiles(worker.root, { 'main.ts': TRAIN });
  });

  test.each([
    { name: 'node', threads: 2, onednn: true, isa: 'avx2' },
    { name: 'node', threads: 1, onednn: false, isa: 'avx' },
  ] as const)('two runs under the same pins give the same bits, and what decided them is told: %o', async (pins) => {
    const { threads, onednn, isa } = pins;
    expect(facts(await expectDecided(pins))).toEqual({
      ...{ name: 'node', package: '@tensorflow/tfjs-node', version: '4.22.0' },
      facts: { tensorflow: expect.stringMatching(/^2\.\d+\.\d+$/), threads, deterministic: true, onednn, isa },
    });
  });

  test.each(['wasm', 'cpu'] as const)('two runs on %s in the same project give the same bits', async (name) => {
    await expectDecided({ name });
  });

  test('it learns what WebAssembly learns', async () => {
    const [native, wasm] = [await train(5, { name: 'node' }), await train(5, { name: 'wasm' })];
    for (const [i, loss] of native.losses.entries()) expect(loss).toBeCloseTo(Number(wasm.losses[i]), 4);
  });

  test('what is not pinned is as the machine has it, and told all the same', async () => {
    const [one, two] = [
      await train(5, { name: 'node' }, { TF_NUM_INTRAOP_THREADS: '1' }),
      await train(5, { name: 'node' }, { TF_NUM_INTRAOP_THREADS: '2', TF_ENABLE_ONEDNN_OPTS: '0' }),
    ];
    expect(facts(one)).toMatchObject({ facts: { threads: 1 } });
    expect(facts(two)).toMatchObject({ facts: { threads: 2, onednn: false } });
    expect(one.drawn).not.toBe(two.drawn);
  });

  test.each([
    [{ name: 'node', tensorflow: '2.9.1' }, /tfjs-node: the stage pins TensorFlow 2\.9\.1, and its library is 2\.\d+/],
    [{ name: 'node', version: '4.0.0' }, /tfjs-node: the stage pins version 4\.0\.0, and 4\.22\.0 is installed/],
    [{ name: 'wasm', threads: 2 }, /tfjs-backend-wasm: it runs on one thread, not 2/],
    [{ name: 'wasm', isa: 'avx2' }, /tfjs-backend-wasm: it has nothing that 'isa' would pin/],
    [{ name: 'cpu', tensorflow: '2.9.1' }, /tfjs-backend-cpu: it has nothing that 'tensorflow' would pin/],
    [{ name: 'gpu' }, /tfjs-node: it loads, but finds no GPU: there is no NVIDIA driver on this machine/],
  ] as const)('a pin that can’t be kept fails: %o', async (backend, message) => {
    const { messages } = await runChild(worker.built, worker.root, { backend });
    const last = messages.at(-1);
    if (last?.type !== 'failed') throw new Error(JSON.stringify(last));
    expect(last.error.message).toMatch(message);
  });
});

describe('on WebGPU', () => {
  beforeEach((context) => {
    needRig(context, missingWebGpu());
    usePackages(worker.root, webGpu().folder);
    writeFiles(worker.root, { 'main.ts': TRAIN });
  });

  test('two runs give the same bits, and the device is told', async () => {
    const trained = await expectDecided({ name: 'webgpu' }, webGpu().env);
    expect(facts(trained)).toEqual({
      ...{ name: 'webgpu', package: '@tensorflow/tfjs-backend-webgpu', version: '4.22.0' },
      facts: { device: expect.stringContaining('SwiftShader'), webgpu: expect.stringMatching(/^\d+\.\d+\.\d+$/) },
    });
  });

  test('a device that computes on the processor is for stages that pin it', async () => {
    const { messages, output } = await runChild(worker.built, worker.root, { outs: ['drawn'], env: webGpu().env });
    expect(messages.at(-1)).toMatchObject({ type: 'done', backend: { name: 'cpu' } });
    expect(output).toMatch(
      /^warning: runs on cpu, .*tfjs-backend-webgpu: its only adapter, SwiftShader\b.*, computes on the/m,
    );
  });

  test('without a driver, that is told', async () => {
    const { messages } = await runChild(worker.built, worker.root, {
      backend: { name: 'webgpu' },
      env: { ...webGpu().env, VK_DRIVER_FILES: '/nonexistent.json' },
    });
    const last = messages.at(-1);
    if (last?.type !== 'failed') throw new Error(JSON.stringify(last));
    expect(last.error.message).toContain('it finds no adapter');
    expect(last.error.hint).toContain('vulkaninfo');
  });
});
