import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { needRig } from '../../../test/rigs/s3.ts';
import { missingTfjsNode, tfjsNode, usePackages } from '../../../test/rigs/tensorflow.ts';
import { type ChildMessage, wrap } from '../src/protocol.ts';
import { type ChildOptions, packageFile, runChild, workerRig, writeFiles } from './rig.ts';

const worker = workerRig();
let folder: string;
beforeEach(() => {
  folder = join(worker.root, 'checkpoints');
  mkdirSync(folder);
});

/** Runs a module whose default export has the given body. */
async function run(body: string, options: ChildOptions = {}) {
  writeFiles(worker.root, { 'main.ts': `export default async (ctx) => {${body}};\n` });
  const ended = await runChild(worker.built, worker.root, { checkpoints: { folder, keep: 2 }, ...options });
  const notices = ended.messages.flatMap((message) => (message.type === 'checkpoint' ? [message.notice] : []));
  return { ...ended, notices };
}

const errorOf = (messages: readonly ChildMessage[]) => {
  const last = messages.at(-1);
  return last?.type === 'failed' ? last.error.message : JSON.stringify(last);
};

const SAVE = `await ctx.checkpoint.save(undefined, { step: 1, seen: new Float64Array([1, -0, NaN]), map: new Map([['a', 2n]]) });
  await ctx.checkpoint.save(undefined, { step: 2, seen: new Float64Array([3]), map: new Map() });`;
const TELL = `const found = await ctx.checkpoint.restore(); ctx.log(String(found?.step));`;

describe('what is saved', () => {
  test('comes back: the newest, its step, its time and a state of any clonable kind', async () => {
    const { notices } = await run(SAVE);
    expect(notices).toMatchObject([
      { what: 'saved', step: 1, file: '00000001-step-1.checkpoint' },
      { what: 'saved', step: 2, file: '00000002-step-2.checkpoint' },
    ]);
    rmSync(join(folder, '00000002-step-2.checkpoint'));
    const again = await run(
      `const { step, at, state } = await ctx.checkpoint.restore();
       ctx.log([step, at instanceof Date, state.seen instanceof Float64Array, Object.is(state.seen[1], -0), state.seen[2], state.map.get('a') === 2n].join());`,
    );
    expect(again.said).toEqual(['1,true,true,true,NaN,true']);
    expect(again.notices).toEqual([{ what: 'restored', file: '00000001-step-1.checkpoint', step: 1 }]);
  });

  test('is kept so often as is asked for, in the order of saving and not of steps', async () => {
    const body = `for (const step of [9, 1, 5]) await ctx.checkpoint.save(undefined, { step });`;
    await run(body);
    expect(readdirSync(folder)).toEqual(['00000002-step-1.checkpoint', '00000003-step-5.checkpoint']);
    await run(body, { checkpoints: { folder, keep: 1 } });
    expect(readdirSync(folder)).toEqual(['00000006-step-5.checkpoint']);
    expect((await run(TELL)).said).toEqual(['5']);
  });

  test('saves that are not awaited follow one another, and a stage that ends waits for them', async () => {
    await run(`let all = []; for (let step = 1; step <= 5; step++) all.push(ctx.checkpoint.save(undefined, { step }));
      await Promise.all(all);`);
    expect(readdirSync(folder)).toEqual(['00000004-step-4.checkpoint', '00000005-step-5.checkpoint']);
  });

  test('what can not be kept is refused at once', async () => {
    for (const [state, message] of [
      ['{ step: 1.5 }', 'needs its step, an integer from 0: save(model, { step: 1 }), not 1.5'],
      ['{ a: 1 }', 'not undefined'],
      ['{ step: 1, call: () => 1 }', 'could not be cloned'],
      ['{ step: 1, deep: { t: { dataId: {}, dtype: "float32" } } }', 'state.deep.t is a tensor'],
    ]) {
      expect(errorOf((await run(`await ctx.checkpoint.save(undefined, ${state});`)).messages)).toContain(message);
    }
    expect(errorOf((await run(`await ctx.checkpoint.save();`)).messages)).toContain('needs its step');
    // A count that is none would train nothing, and call that done.
    for (const steps of ['NaN', 'undefined', '2.5', '"3"']) {
      const { messages } = await run(`await ctx.checkpoint.loop(undefined, ${steps}, () => {});`);
      expect(errorOf(messages)).toContain('how many steps there are, an integer from 0, not');
    }
    expect(errorOf((await run(`await ctx.checkpoint.save({ a: 1 }, { step: 1 });`)).messages)).toContain(
      "'a' can't be saved: it is no model",
    );
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a damaged checkpoint is passed over with a warning, and the one before is taken', () => {
  test.each([
    ['cut off', (file: string) => truncateSync(file, readFileSync(file).length - 5)],
    ['empty', (file: string) => truncateSync(file, 0)],
    ['with a flipped bit in its state', (file: string) => flip(file, readFileSync(file).length - 40)],
    ['with a flipped bit in its header', (file: string) => flip(file, 25)],
    ['with another length of its header', (file: string) => flip(file, 19)],
    ['of something else', (file: string) => writeFileSync(file, 'x'.repeat(100))],
  ])('%s', async (_, damage) => {
    await run(SAVE);
    damage(join(folder, '00000002-step-2.checkpoint'));
    const first = await run(TELL);
    expect(first.said).toEqual(['1']);
    expect(first.notices[0]).toMatchObject({ what: 'passed-over', file: '00000002-step-2.checkpoint' });
    // Its number is taken again, and it is not counted among those that are kept.
    await run(`await ctx.checkpoint.save(undefined, { step: 7 });`);
    expect(readdirSync(folder).filter((name) => name.endsWith('.checkpoint'))).toEqual([
      '00000001-step-1.checkpoint',
      '00000002-step-7.checkpoint',
    ]);
  });

  test('every flipped bit of a small one is noticed', async () => {
    await run(`await ctx.checkpoint.save(undefined, { step: 1 });`);
    const [name = ''] = readdirSync(folder);
    const whole = readFileSync(join(folder, name));
    // One file for each byte: the first that is whole would be restored.
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(join(folder, `${String(at + 2).padStart(8, '0')}-step-${at + 2}.checkpoint`), bytes);
    }
    const { said, notices } = await run(TELL);
    expect(said).toEqual(['1']);
    expect(notices.filter(({ what }) => what === 'passed-over')).toHaveLength(whole.length);
  });
});

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] ?? 0) ^ 0x40;
  writeFileSync(file, bytes);
}

describe('when to save', () => {
  test('after so many steps since the last time, counted on from what was restored', async () => {
    const body = `const due = ctx.checkpoint.every({ steps: 3 });
      const from = (await ctx.checkpoint.restore())?.step ?? 0;
      for (let step = from + 1; step <= from + 7; step++) if (due(step)) await ctx.checkpoint.save(undefined, { step });`;
    const steps = async () => (await run(body)).notices.flatMap((one) => (one.what === 'saved' ? [one.step] : []));
    expect(await steps()).toEqual([3, 6]);
    expect(await steps()).toEqual([9, 12]);
    expect(errorOf((await run(`ctx.checkpoint.every({ steps: 0 });`)).messages)).toContain('{ seconds: 60 }');
  });

  test('told to end, a loop saves once more, and that is its last act', async () => {
    const body = `const due = ctx.checkpoint.every({ seconds: 3600 });
      for (let step = 1; ; step++) {
        if (step === 5) ctx.log('five');
        await new Promise((resolve) => setImmediate(resolve));
        if (due(step)) { await ctx.checkpoint.save(undefined, { step }); ctx.log('goes on'); }
      }`;
    const { code, said, notices } = await run(body, {
      onOutput: () => wrap({ type: 'cancel', reason: 'interrupted' } as const),
    });
    expect(code).toBe(143);
    expect(said).toEqual(['five']);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatchObject({ what: 'saved' });
  });

  test('a loop by itself restores, goes on and saves after each step', async () => {
    const body = `await ctx.checkpoint.loop(undefined, 4, (step) => { ctx.log(String(step)); if (step === ctx.params.kill) process.kill(process.pid, 'SIGKILL'); });`;
    const killed = await run(body, { params: { 'params.yaml': { kill: 2 } } });
    expect([killed.signal, killed.said]).toEqual(['SIGKILL', ['0', '1', '2']]);
    const rest = await run(body, { params: { 'params.yaml': { kill: 9 } } });
    expect(rest.said).toEqual(['2', '3']);
  });

  test('a loop tells how far it is, unless its body does', async () => {
    const said = async (body: string) => {
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
      const { messages } = await run(`await ctx.checkpoint.loop(undefined, 4, (step) => {${body}});`);
      return messages.flatMap((message) => (message.type === 'progress' ? [message] : []));
    };
    expect((await said('')).at(-1)).toMatchObject({ done: 4, total: 4, fraction: 1 });
    const own = await said(`ctx.progress({ done: step, total: 8, text: 'own' });`);
    expect(own.at(-1)).toMatchObject({ done: 3, total: 8, text: 'own' });
    expect(own.every(({ text }) => text === 'own')).toBe(true);
  });
});

test('random streams that were taken before go on where they were', async () => {
  const body = `const own = ctx.randomStream('own');
    const from = (await ctx.checkpoint.restore())?.step ?? 0;
    for (let step = from; step < 6; step++) {
      ctx.log([step, ctx.random(), Math.random(), own.normal(), ctx.randomStream('epoch/' + step).next()].join());
      await ctx.checkpoint.save(undefined, { step: step + 1 });
      if (step === ctx.params.kill) process.kill(process.pid, 'SIGKILL');
    }`;
  const params = (kill: number) => ({ params: { 'params.yaml': { kill } } });
  const whole = await run(body, params(9));
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  await run(body, params(2));
  const rest = await run(body, params(9));
  expect(whole.said).toHaveLength(6);
  expect(rest.said).toEqual(whole.said.slice(3));
});

/** The project has TensorFlow.js as the tests themselves have. */
function useTensorFlow(): void {
  mkdirSync(join(worker.root, 'node_modules'));
  const installed = join(packageFile('@tensorflow/tfjs-core/package.json'), '../..');
  symlinkSync(installed, join(worker.root, 'node_modules/@tensorflow'));
}

/** Dropout, shuffles and an optimizer with state: all that a resumed training could lose. */
const TRAIN = `
import { saveLayersModel, type WorkerContext } from 'dag/worker';
export default async (ctx: WorkerContext<{ optimizer: string; kill: number }>) => {
  const tf = await ctx.tensorflow<any>();
  const model = tf.sequential();
  model.add(tf.layers.dense({ inputShape: [16], units: 12, activation: 'relu' }));
  model.add(tf.layers.dropout({ rate: 0.25 }));
  model.add(tf.layers.batchNormalization());
  model.add(tf.layers.dense({ units: 2, activation: 'softmax' }));
  model.compile({ optimizer: ctx.params.optimizer, loss: 'categoricalCrossentropy' });
  const pixels = Float32Array.from({ length: 64 * 16 }, (_, i) => ((i >> 4) % 2) + ctx.random());
  const x = tf.tensor2d(pixels, [64, 16]);
  const y = tf.tidy(() => tf.oneHot(tf.tensor1d(Array.from({ length: 64 }, (_, i) => i % 2), 'int32'), 2));
  await ctx.checkpoint.loop(model, 6, async (epoch) => {
    if (epoch === ctx.params.kill) process.kill(process.pid, 'SIGKILL');
    await model.fit(x, y, { initialEpoch: epoch, epochs: epoch + 1, batchSize: 16, shuffle: true, verbose: 0 });
  });
  await saveLayersModel(model, ctx.out('model'));
};`;

describe('a training that was killed and went on gives the bytes of one that was not', () => {
  async function train(backend: 'cpu' | 'wasm' | 'node', optimizer: string, kill: number) {
    const ended = await runChild(worker.built, worker.root, {
      ...{ seed: 5, outs: ['model'], backend: { name: backend }, checkpoints: { folder, keep: 2 } },
      params: { 'params.yaml': { optimizer, kill } },
    });
    if (kill < 6) return expect(ended.signal).toBe('SIGKILL');
    if (ended.code !== 0) throw new Error(errorOf(ended.messages));
    expect(ended.messages.at(-1)).toMatchObject({ backend: { name: backend } });
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    return readFileSync(join(worker.root, 'model/weights.bin'));
  }

  test.each([
    ['wasm', 'adam'],
    ['cpu', 'sgd'],
  ] as const)('%s, %s', async (backend, optimizer) => {
    useTensorFlow();
    writeFiles(worker.root, { 'main.ts': TRAIN });
    const whole = await train(backend, optimizer, 9);
    await train(backend, optimizer, 2);
    await train(backend, optimizer, 4);
    expect(await train(backend, optimizer, 9)).toEqual(whole);
  });

  test('told to end in the middle of an epoch, which no checkpoint takes for a whole one', async () => {
    useTensorFlow();
    const half = `callbacks: [{ onBatchEnd: async (batch) => {
      if (epoch !== ctx.params.half || batch !== 1) return;
      ctx.log('half');
      while (!ctx.signal.aborted) await new Promise((resolve) => setImmediate(resolve));
    } }, fitCallbacks(ctx, model, { batches: true })]`;
    const text = TRAIN.replace('import {', 'import { fitCallbacks,').replace('verbose: 0', half);
    writeFiles(worker.root, { 'main.ts': text });
    const options = { seed: 5, outs: ['model'], checkpoints: { folder, keep: 2 }, backend: { name: 'cpu' } } as const;
    const params = (half: number) => ({ 'params.yaml': { optimizer: 'adam', kill: 9, half } });
    const model = () => readFileSync(join(worker.root, 'model/weights.bin'));

    const whole = await runChild(worker.built, worker.root, { ...options, params: params(9) });
    const uninterrupted = model();
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    const cancel = () => wrap({ type: 'cancel', reason: 'interrupted' } as const);
    const cut = await runChild(worker.built, worker.root, { ...options, params: params(2), onOutput: cancel });
    expect([cut.code, cut.said]).toEqual([143, ['half']]);
    expect(readdirSync(folder)).toEqual(['00000001-step-1.checkpoint', '00000002-step-2.checkpoint']);
    const rest = await runChild(worker.built, worker.root, { ...options, params: params(9) });
    expect(model()).toEqual(uninterrupted);

    // What was reported: no epoch that was not gone through, and batches by their number in the whole training.
    const points = ({ reported }: typeof whole) => reported.map(({ name, step }) => `${name} ${step}`);
    const [cutPoints, wholePoints] = [points(cut), points(whole)];
    expect(cutPoints).toEqual(wholePoints.slice(0, 12));
    expect(points(rest)).toEqual(wholePoints.slice(10));
    expect(wholePoints.slice(8, 14)).toEqual([
      ...['batch/loss 8', 'loss 2'],
      ...['batch/loss 9', 'batch/loss 10', 'batch/loss 11', 'batch/loss 12'],
    ]);
  });

  test('node, adam', async (context) => {
    needRig(context, missingTfjsNode());
    usePackages(worker.root, tfjsNode());
    writeFiles(worker.root, { 'main.ts': TRAIN });
    const whole = await train('node', 'adam', 9);
    await train('node', 'adam', 2);
    expect(await train('node', 'adam', 9)).toEqual(whole);
  });

  test('a loop of its own: variables and an optimizer by name', async () => {
    useTensorFlow();
    writeFiles(worker.root, {
      'main.ts': `import * as tf from '@tensorflow/tfjs-core';
        import '@tensorflow/tfjs-layers';
        export default async (ctx) => {
          const [a, b] = [tf.variable(tf.randomNormal([3, 2])), tf.variable(tf.scalar(1))];
          const optimizer = tf.train.momentum(0.1, 0.9);
          const parts = { 'the a': a, b, optimizer };
          const from = (await ctx.checkpoint.restore(parts))?.step ?? 0;
          for (let step = from + 1; step <= 5; step++) {
            // The one has no effect on this optimizer, the other has.
            optimizer.learningRate = 1 / step;
            if (step === 2) optimizer.setLearningRate(0.05);
            optimizer.minimize(() => tf.sum(tf.square(tf.sub(tf.mul(a, b), ctx.random()))) as tf.Scalar, false, [a, b]);
            await ctx.checkpoint.save(parts, { step });
            if (step === ctx.params.kill) process.kill(process.pid, 'SIGKILL');
          }
          ctx.log([...a.dataSync(), ...b.dataSync(), optimizer.iterations].join());
        };`,
    });
    const once = async (kill: number) => {
      const params = { 'params.yaml': { kill } };
      const { messages, output } = await runChild(worker.built, worker.root, {
        backend: { name: 'cpu' },
        checkpoints: { folder, keep: 2 },
        params,
      });
      return messages.some(({ type }) => type === 'failed') ? errorOf(messages) : output;
    };
    const whole = await once(9);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    await once(2);
    expect(whole).toMatch(/^(-?[\d.]+,){7}5\n$/);
    expect(await once(9)).toEqual(whole);
  });

  test('an optimizer that TensorFlow.js can not save is named', async () => {
    useTensorFlow();
    writeFiles(worker.root, { 'main.ts': TRAIN });
    await expect(train('cpu', 'adamax', 9)).rejects.toThrow(
      "the optimizer can't be saved: getWeights() is not implemented",
    );
  });

  test('weights that are saved and not asked back are no training that goes on', async () => {
    useTensorFlow();
    const body = (restore: string) => `const tf = await ctx.tensorflow(); const a = tf.variable(tf.scalar(1));
      await ctx.checkpoint.${restore}; await ctx.checkpoint.save(a, { step: 1 });`;
    await run(body('restore()'));
    expect(errorOf((await run(body('restore()'))).messages)).toContain('holds weights, and restore() was not told');
    expect((await run(body('restore(a)'))).messages.at(-1)).toMatchObject({ type: 'done' });
    expect((await run(body('latest()'))).messages.at(-1)).toMatchObject({ type: 'done' });
  });

  test('a model that was built otherwise is refused, not half filled', async () => {
    useTensorFlow();
    writeFiles(worker.root, { 'main.ts': TRAIN });
    await train('cpu', 'sgd', 2);
    writeFiles(worker.root, { 'main.ts': TRAIN.replace('units: 12', 'units: 13') });
    const ended = await runChild(worker.built, worker.root, {
      ...{ outs: ['model'], backend: { name: 'cpu' }, checkpoints: { folder, keep: 2 } },
      params: { 'params.yaml': { optimizer: 'sgd', kill: 9 } },
    });
    expect(errorOf(ended.messages)).toBe(
      'the checkpoint does not fit the model: it has a tensor of float32 [16,13], one of float32 [16,12] is kept',
    );
  });
});
