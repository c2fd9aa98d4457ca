import { readFile, writeFile } from 'node:fs/promises';
import type { WorkerContext } from 'dag/worker';
import { renderPage } from './card/page.ts';
import { encodeGreyPng } from './card/png.ts';
import { CLASSES, PIXELS, readDigits, SIDE } from './data.ts';

/** How many of the wrong answers are shown, the most confident first. */
const SHOWN_MISTAKES = 24;

/** What `evaluate` says of the network as a whole. */
export interface Metrics {
  readonly accuracy: number;
  readonly loss: number;
  readonly digits: number;
  readonly mistakes: number;
  readonly recall: Readonly<Record<string, number>>;
}

/** A digit that the network got wrong, with its picture as a data URL. */
export interface Mistake {
  readonly actual: number;
  readonly predicted: number;
  readonly confidence: number;
  readonly picture: string;
}

/** Draws the page: curves, confusion matrix, and the digits that the network got wrong while being surest. */
export default async function card(ctx: WorkerContext): Promise<void> {
  const history = await readTable(ctx.dep('results/training.csv'));
  const predictions = await readTable(ctx.dep('results/predictions.csv'));
  const metrics = JSON.parse(await readFile(ctx.dep('results/metrics.json'), 'utf8')) as Metrics;
  const counts = JSON.parse(await readFile(ctx.dep('results/confusion.json'), 'utf8')) as Record<
    string,
    Record<string, number>
  >;
  const { images } = await readDigits(ctx.dep('data/digits'), 'test');

  const mistakes = predictions
    .filter((row) => row['actual'] !== row['predicted'])
    .sort((a, b) => (b['confidence'] ?? 0) - (a['confidence'] ?? 0))
    .slice(0, SHOWN_MISTAKES)
    .map((row): Mistake => {
      const { index = 0, actual = 0, predicted = 0, confidence = 0 } = row;
      const png = encodeGreyPng(images.subarray(index * PIXELS, (index + 1) * PIXELS), SIDE, SIDE);
      return { actual, predicted, confidence, picture: `data:image/png;base64,${png.toString('base64')}` };
    });
  const labels = Array.from({ length: CLASSES }, (_, digit) => String(digit));
  const confusion = labels.map((actual) => labels.map((predicted) => counts[actual]?.[predicted] ?? 0));
  await writeFile(ctx.out('results/card.html'), renderPage({ history, metrics, confusion, mistakes }));
}

/** Reads a CSV of numbers with a header line. */
async function readTable(file: string): Promise<Record<string, number>[]> {
  const [header = '', ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const names = header.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [names[i] ?? '', Number(cell)])));
}
