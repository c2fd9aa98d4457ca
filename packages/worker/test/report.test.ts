import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { histogramOf } from '../src/child/histogram.ts';
import { encodePng, shapeOf } from '../src/child/png.ts';
import { wrap } from '../src/protocol.ts';
import { type ChildOptions, packageFile, runChild, workerRig, writeFiles } from './rig.ts';

const worker = workerRig();

async function run(body: string, options: ChildOptions = {}) {
  writeFiles(worker.root, { 'main.ts': `export default async (ctx) => {${body}};\n` });
  return await runChild(worker.built, worker.root, options);
}

const images = fc
  .record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
    channels: fc.integer({ min: 1, max: 4 }),
  })
  .chain((shape) => {
    const length = shape.width * shape.height * shape.channels;
    const pixels = fc.uint8Array({ minLength: length, maxLength: length });
    return pixels.map((bytes) => ({ ...shape, pixels: bytes }));
  });

/** The pixels as most decoders give them. */
function rgba({ channels, pixels }: { readonly channels: number; readonly pixels: Uint8Array }): Buffer {
  const all: number[] = [];
  for (let at = 0; at < pixels.length; at += channels) {
    const [a = 0, b = 0, c = 0, d = 255] = pixels.subarray(at, at + channels);
    all.push(...(channels === 1 ? [a, a, a, 255] : channels === 2 ? [a, a, a, b] : [a, b, c, d]));
  }
  return Buffer.from(all);
}

test('another decoder reads the same pixels out of a PNG that we write', async () => {
  await fc.assert(
    fc.asyncProperty(images, async (image) => {
      const file = encodePng(image);
      const { width, height, channels } = image;
      expect(shapeOf(file)).toEqual({ width, height, channels, ending: 'png' });
      const { data, info } = await sharp(file)
        .ensureAlpha()
        .toColourspace('srgb')
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect([info.width, info.height, info.channels]).toEqual([width, height, 4]);
      expect(Buffer.compare(data, rgba(image))).toBe(0);
    }),
    { numRuns: 30 },
  );
});

test('JPEGs are known by their shape; other bytes are no image, and none makes it fail', async () => {
  const raw = { width: 7, height: 5, channels: 3 } as const;
  for (const progressive of [false, true]) {
    const jpeg = await sharp(Buffer.alloc(105, 90), { raw }).jpeg({ progressive }).toBuffer();
    expect(shapeOf(jpeg)).toEqual({ ...raw, ending: 'jpg' });
    fc.assert(fc.property(fc.nat(jpeg.length), (at) => void shapeOf(jpeg.subarray(0, at))));
  }
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(shapeOf(bytes)).toBeUndefined();
    }),
  );
});

test('a histogram counts every finite number once, in bins that hold them', () => {
  const numbers = fc.array(fc.oneof(fc.float(), fc.integer({ min: -3, max: 3 })), { maxLength: 300 });
  fc.assert(
    fc.property(numbers, (values) => {
      const finite = values.filter(Number.isFinite);
      const histogram = histogramOf(values);
      if (histogram === undefined) {
        expect(finite).toEqual([]);
        return;
      }
      const { limits, counts, count, min, max } = histogram;
      expect([min, max]).toEqual([Math.min(...finite), Math.max(...finite)]);
      expect(counts.reduce((sum, one) => sum + one, 0)).toBe(finite.length);
      expect([count, limits.length, limits.at(-1)]).toEqual([finite.length, counts.length, max]);
      const below = counts.slice(0, -1).reduce((sum, one, bin) => {
        const upTo = sum + one;
        // What lies on a limit may be counted on either side: it is computed by division.
        const [low, high] = [0, 1].map((side) =>
          finite.filter((one) => one < (limits[bin] ?? 0) + (side - 0.5) * 1e-6 * (max - min)),
        );
        expect(upTo).toBeGreaterThanOrEqual(low?.length ?? 0);
        expect(upTo).toBeLessThanOrEqual(high?.length ?? 0);
        return upTo;
      }, 0);
      expect(below).toBeLessThanOrEqual(finite.length);
    }),
  );
});

describe('what a module reports', () => {
  test('images and histograms lie beside the metrics', async () => {
    const file = encodePng({ width: 2, height: 1, channels: 3, pixels: new Uint8Array(6).fill(9) });
    writeFiles(worker.root, { 'given.png': '' });
    const {
      reported,
      images: folder,
      code,
    } = await run(
      `const fs = await import('node:fs');
       ctx.image('pixels', { width: 2, height: 1, channels: 1, pixels: new Float32Array([0, 0.5]) }, 1);
       ctx.image('file', Buffer.from('${file.toString('base64')}', 'base64'));
       ctx.histogram('weights', new Float32Array([1, 2, 2, NaN]), 1);
       ctx.histogram('none', [NaN]);`,
    );
    expect(code).toBe(0);
    expect(reported).toMatchObject([
      { name: 'pixels', step: 1, image: '0.png', width: 2, height: 1, channels: 1 },
      { name: 'file', image: '1.png', width: 2, height: 1, channels: 3 },
      { name: 'weights', step: 1, histogram: { min: 1, max: 2, count: 3, sum: 5, squares: 9 } },
    ]);
    expect(readFileSync(join(folder, '1.png')).equals(file)).toBe(true);
    expect([...(await sharp(join(folder, '0.png')).toColourspace('b-w').raw().toBuffer())]).toEqual([0, 128]);
  });

  test('what can be no report is an error that says which', async () => {
    const cases = [
      [`ctx.metric('loss', '1')`, 'metric loss is not a number: 1'],
      [`ctx.metric('', 1)`, 'the name of a metric is a text of 1 to 200 characters: ""'],
      [`ctx.metric('loss', 1, NaN)`, 'the step of metric loss is no number: NaN'],
      [`ctx.image('seen', new Uint8Array(8))`, 'image seen: these bytes are neither PNG nor JPEG'],
      [
        `ctx.image('seen', { width: 2, height: 2, channels: 3, pixels: [1] })`,
        'image seen: 2 × 2 × 3 does not fit 1 numbers',
      ],
      [
        `ctx.image('seen', 'a.png')`,
        'image seen is neither the bytes of a file nor { width, height, channels, pixels }',
      ],
      [`ctx.image('seen')`, 'image seen is neither the bytes of a file nor { width, height, channels, pixels }'],
      [`ctx.histogram('w', 3)`, 'histogram w needs a list or typed array'],
      [`ctx.histogram('w', 'abc')`, 'histogram w needs a list or typed array'],
      [`ctx.progress()`, 'progress is a fraction, or { done, total }, and not undefined'],
    ];
    const { said, reported } = await run(
      cases.map(([code]) => `try { ${code} } catch (e) { ctx.log(e.message) }`).join('\n'),
    );
    expect(said).toEqual(cases.map(([, text]) => text));
    expect(reported).toEqual([]);
  });

  test('images are bounded, which is said once; the rest goes on', async () => {
    const {
      reported,
      output,
      images: folder,
    } = await run(
      `for (let i = 0; i < 1005; i++) ctx.image('seen', { width: 1, height: 1, channels: 1, pixels: [i % 256] }, i);
       ctx.metric('loss', 1);`,
    );
    expect(reported).toHaveLength(1001);
    expect(output).toBe('warning: more than 1000 images of a run are not kept\n');
    expect(existsSync(join(folder, '999.png'))).toBe(true);
    expect(existsSync(join(folder, '1000.png'))).toBe(false);
  });

  test('a file that can’t be written is told of once, and the module goes on', async () => {
    const { output, code } = await run(`ctx.metric('a', 1); ctx.metric('a', 2); ctx.log('on');`, {
      metrics: join(worker.root, 'no such folder/x.metrics.ndjson'),
    });
    expect(code).toBe(0);
    expect(output).toMatch(/^warning: metrics are not kept from here on: ENOENT.*\non\n$/);
  });

  test('output waits for its reader instead of piling up', async () => {
    const { said } = await run(
      `const line = 'x'.repeat(1000);
       for (let i = 0; i < 20_000; i++) console.log(line);
       ctx.log(String(process.stdout.writableLength));`,
    );
    expect(said.length).toBe(20_001);
    expect(said.at(-1)).toBe('0');
  });
});

describe('fitCallbacks', () => {
  const MODULE = `import * as tf from '@tensorflow/tfjs-core'; import * as L from '@tensorflow/tfjs-layers';
    import { fitCallbacks } from 'dag/worker';
    export default async (ctx) => {
      const model = L.sequential(); model.add(L.layers.dense({ units: 1, inputShape: [2] }));
      model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
      const x = tf.zeros([40, 2]); const y = tf.ones([40, 1]);
      const fit = async (epochs, callbacks) => (await model.fit(x, y, { epochs, batchSize: 10, callbacks, validationSplit: 0.5 })).epoch.length;
      BODY
    };`;

  async function train(body: string, options: ChildOptions = {}) {
    mkdirSync(join(worker.root, 'node_modules'), { recursive: true });
    symlinkSync(
      join(packageFile('@tensorflow/tfjs-core/package.json'), '../..'),
      join(worker.root, 'node_modules/@tensorflow'),
    );
    writeFiles(worker.root, { 'main.ts': MODULE.replace('BODY', body) });
    const ran = await runChild(worker.built, worker.root, { backend: { name: 'cpu' }, ...options });
    const last = ran.messages.at(-1);
    if (last?.type === 'failed') throw new Error(JSON.stringify(last.error));
    return { ...ran, points: ran.reported.map((line) => `${line.name} ${line.step}`) };
  }

  test('report every epoch and, if asked, every batch, and how far it is', async () => {
    const { points, messages } = await train(
      `await fit(2, fitCallbacks(ctx, model)); await fit(1, [fitCallbacks(ctx, model, { batches: true, prefix: 'b/', firstEpoch: 3 })]);`,
    );
    const epochs = (prefix: string, ...steps: number[]) =>
      steps.flatMap((step) => [`${prefix}val_loss ${step}`, `${prefix}loss ${step}`]);
    expect(points).toEqual([...epochs('', 1, 2), 'b/batch/loss 5', 'b/batch/loss 6', ...epochs('b/', 3)]);
    const progress = messages.filter(({ type }) => type === 'progress');
    // The call for a single epoch is a part of something longer, of which it does not know how long.
    expect(progress.at(-1)).toMatchObject({ done: 2, total: 2, fraction: 1, text: 'epoch 2' });
  });

  test('go behind callbacks of tfjs’s own', async () => {
    const { points } = await train(
      `await fit(2, [L.callbacks.earlyStopping({ monitor: 'loss', patience: 9 }), fitCallbacks(ctx, model)]);`,
    );
    expect(points.sort()).toEqual(['loss 1', 'loss 2', 'val_loss 1', 'val_loss 2']);
  });

  test.each([
    'fitCallbacks(ctx, model)',
    `[L.callbacks.earlyStopping({ monitor: 'loss', patience: 1e6 }), fitCallbacks(ctx, model)]`,
  ])('end a training whose stage is told to end: %s', async (callbacks) => {
    const { said, code } = await train(
      `await fit(1e6, ${callbacks}).catch((error) => { ctx.log(String(error === ctx.signal.reason)); throw error; });`,
      {
        onMessage: ({ type }) =>
          type === 'progress' ? wrap({ type: 'cancel', reason: 'interrupted' } as const) : undefined,
      },
    );
    expect(said).toEqual(['true']);
    expect(code).toBe(143);
  });
});
