import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { formatMetricLine, type MetricLine } from '@dag/model';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { followMetrics } from '../src/metrics/live.ts';
import { MetricTail } from '../src/metrics/tail.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-tail-'));
  file = path.join(folder, 'a.metrics.ndjson');
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const names = fc.constantFrom('loss', 'naïve ☃', 'x'.repeat(150));
const lines = fc.array(fc.record({ name: names, value: fc.integer(), step: fc.nat() }), { maxLength: 40 });

describe('the tail of a metrics file', () => {
  test('gives the same lines, however they are written and read piece by piece', () => {
    fc.assert(
      fc.property(lines, fc.array(fc.nat(200)), fc.integer({ min: 1, max: 300 }), (written, cuts, limit) => {
        fs.rmSync(file, { force: true });
        const tail = new MetricTail(file);
        const read: MetricLine[] = [];
        const look = () => {
          while (tail.read(limit, (line) => read.push(line)));
        };
        const bytes = Buffer.from(written.map(formatMetricLine).join(''));
        let at = 0;
        for (const cut of cuts) {
          fs.appendFileSync(file, bytes.subarray(at, at + cut));
          at += cut;
          look();
        }
        fs.appendFileSync(file, bytes.subarray(at));
        look();
        tail.close();
        expect(read).toEqual(written);
      }),
    );
  });

  test('a last line that was cut short waits for its end; lines of others and such as are too long are passed over', () => {
    const tail = new MetricTail(file);
    const read: string[] = [];
    const look = () => tail.read(1e9, ({ name }) => read.push(name));
    expect(look()).toBe(false);
    fs.writeFileSync(file, '{"name":"a","value":1}\nhello\n\n{"name":"b","va');
    look();
    expect(read).toEqual(['a']);
    fs.appendFileSync(file, `lue":2}\n${'x'.repeat(300_000)}\n{"name":"c","value":3}\n`);
    look();
    expect(read).toEqual(['a', 'b', 'c']);
    tail.close();
  });
});

test('of very many values at once the newest are told, and all are counted', async () => {
  const told: number[] = [];
  let active = 0;
  const text = Array.from({ length: 100_000 }, (_, step) => formatMetricLine({ name: 'loss', value: step, step }));
  fs.writeFileSync(file, text.join(''));
  const live = followMetrics({ file, tell: ({ value }) => told.push(value), onActivity: () => active++ });
  await live.close();
  expect(live.summaries.get('loss')).toMatchObject({ count: 100_000, last: { value: 99_999 }, min: { value: 0 } });
  expect(told.length).toBeLessThan(100);
  expect(told.at(-1)).toBe(99_999);
  expect(active).toBeGreaterThan(1);
});
