import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bestOf,
  betterOf,
  formatMetricLine,
  type MetricLine,
  MetricSummaries,
  type MetricValue,
  parseMetricLine,
} from '../src/index.ts';

const name = fc.string({ minLength: 1, maxLength: 50 }).filter((text) => !/\p{Cc}/u.test(text));
const number = fc.double({ noDefaultInfinity: true, noNaN: true }).filter((one) => !Object.is(one, -0));
const head = fc.record({
  name,
  step: fc.option(number, { nil: undefined }),
  at: fc.option(number, { nil: undefined }),
});
const value: fc.Arbitrary<MetricValue> = fc
  .tuple(
    head,
    fc.double().filter((one) => !Object.is(one, -0)),
  )
  .map(([{ name, step, at }, value]) => ({
    name,
    ...(step === undefined ? {} : { step }),
    ...(at === undefined ? {} : { at }),
    value,
  }));

describe('a line of metrics', () => {
  test('is read as it was written, NaN and infinities too', () => {
    fc.assert(
      fc.property(value, (line) => {
        const text = formatMetricLine(line);
        expect(text.indexOf('\n')).toBe(text.length - 1);
        expect(parseMetricLine(text)).toEqual(line);
      }),
    );
  });

  test('histograms and images are read as they were written', () => {
    const lines: MetricLine[] = [
      {
        name: 'w',
        step: 3,
        histogram: { min: 0, max: 2, count: 3, sum: 3, squares: 5, limits: [1, 2], counts: [1, 2] },
      },
      { name: 'seen', at: 1.5, image: '12.png', width: 3, height: 2, channels: 4 },
    ];
    for (const line of lines) expect(parseMetricLine(formatMetricLine(line))).toEqual(line);
  });

  test('what is no line, or was cut short, is none; nothing throws', () => {
    fc.assert(
      fc.property(value, fc.nat(), (line, at) => {
        const text = formatMetricLine(line).trimEnd();
        if (at < text.length) expect(parseMetricLine(text.slice(0, at))).toBeUndefined();
      }),
    );
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseMetricLine(text)));
    const wrong = [
      '{"name":"a","value":"high"}',
      '{"name":"a","value":true}',
      '{"name":"","value":1}',
      '{"name":"a\\nb","value":1}',
      '{"name":"a","step":"1","value":1}',
      '{"name":"a"}',
      '{"name":"a","image":"../../secret.png","width":1,"height":1,"channels":1}',
      '{"name":"a","image":"1.png","width":0,"height":1,"channels":1}',
      '{"name":"a","histogram":{"min":0,"max":1,"count":1,"sum":1,"squares":1,"limits":[2,1],"counts":[1,0]}}',
      '{"name":"a","histogram":{"min":0,"max":1,"count":1,"sum":1,"squares":1,"limits":[1],"counts":[-1]}}',
    ];
    for (const text of wrong) expect(parseMetricLine(text), text).toBeUndefined();
  });

  test('what Python’s json module makes of a diverging training is read', () => {
    expect(parseMetricLine('{"name": "loss", "value": NaN, "step": 4}')).toEqual({
      name: 'loss',
      value: Number.NaN,
      step: 4,
    });
    expect(parseMetricLine('{"value": -Infinity, "name": "NaN"}')).toEqual({
      name: 'NaN',
      value: Number.NEGATIVE_INFINITY,
    });
  });
});

describe('what metrics came to', () => {
  test('is what a look at all values says', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 50 }), (lines) => {
        const summaries = new MetricSummaries();
        for (const line of lines) summaries.add(line);
        for (const [name, { count, last, min, max }] of summaries.entries()) {
          const mine = lines.filter((line) => line.name === name);
          const values = mine.map((line) => line.value).filter((one) => !Number.isNaN(one));
          expect(count).toBe(mine.length);
          expect(last.value).toBe(mine.at(-1)?.value);
          expect(min?.value).toBe(values.length === 0 ? undefined : Math.min(...values));
          expect(max?.value).toBe(values.length === 0 ? undefined : Math.max(...values));
        }
      }),
    );
  });

  test('names without end take no memory without end', () => {
    const summaries = new MetricSummaries();
    for (let i = 0; i < 5000; i++) summaries.add({ name: `loss of sample ${i}`, value: i });
    expect([summaries.size, summaries.left]).toEqual([1000, 4000]);
  });

  test('the best is named where the name tells what is good', () => {
    for (const name of ['loss', 'val_loss', 'valLoss', 'train/rmse', 'test error'])
      expect(betterOf(name)).toBe('lower');
    for (const name of ['acc', 'val_accuracy', 'AUC', 'eval/f1', 'r2']) expect(betterOf(name)).toBe('higher');
    for (const name of ['lr', 'glossary', 'macc', 'epoch', 'system/rss']) expect(betterOf(name)).toBeUndefined();
    const summaries = new MetricSummaries();
    for (const [step, value] of [0.5, 0.25, 0.25, Number.NaN].entries()) summaries.add({ name: 'loss', value, step });
    const loss = summaries.get('loss');
    expect(loss && bestOf('loss', loss)).toEqual({ value: 0.25, step: 1 });
  });
});
