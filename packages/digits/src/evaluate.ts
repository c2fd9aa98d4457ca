import { writeFile } from 'node:fs/promises';
import * as layers from '@tensorflow/tfjs-layers';
import { loadLayersModel, type WorkerContext } from 'dag/worker';
import { CLASSES, readDigits } from './data.ts';
import { predict, score } from './network.ts';
import { openDigits } from './rows.ts';

/** Measures the trained network on the digits that were set aside: metrics, the confusion matrix, and each answer. */
export default async function evaluate(ctx: WorkerContext): Promise<void> {
  const folder = ctx.dep('data/digits');
  const { labels } = await readDigits(folder, 'test');
  const { x } = await openDigits(folder, 'test');
  const model = await loadLayersModel<layers.LayersModel>(layers, ctx.dep('results/model'));
  const { loss, accuracy, answers } = score(await predict(model, x), labels);
  ctx.metric('accuracy', accuracy);
  ctx.metric('loss', loss);

  const confusion = Array.from({ length: CLASSES }, () => new Array<number>(CLASSES).fill(0));
  const rows = ['index,actual,predicted,confidence'];
  for (const [i, { predicted, confidence }] of answers.entries()) {
    const actual = labels[i] ?? 0;
    const cells = confusion[actual];
    if (cells !== undefined) cells[predicted] = (cells[predicted] ?? 0) + 1;
    rows.push([i, actual, predicted, confidence.toFixed(6)].join(','));
  }
  const recall = confusion.map((cells, actual) => (cells[actual] ?? 0) / cells.reduce((sum, count) => sum + count, 0));
  const mistakes = answers.filter(({ predicted }, i) => predicted !== labels[i]).length;
  const digits = answers.length;
  await writeJson(ctx.out('results/metrics.json'), { accuracy, loss, digits, mistakes, recall: byDigit(recall) });
  await writeJson(ctx.out('results/confusion.json'), byDigit(confusion.map(byDigit)));
  await writeFile(ctx.out('results/predictions.csv'), `${rows.join('\n')}\n`);
  ctx.log(`${mistakes} of ${digits} digits wrong: accuracy ${(accuracy * 100).toFixed(2)} %`);
}

function byDigit<T>(values: readonly T[]): Record<string, T> {
  return Object.fromEntries(values.map((value, digit) => [String(digit), value]));
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, undefined, 2)}\n`);
}
