import type { StageAddress } from '@dag/model';
import { columnsOf } from '@dag/pipeline';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { liveFrame, type Totals } from '../src/render/frame.ts';
import { timeLeft } from '../src/render/time-left.ts';
import { fitColumns, plainLine } from '../src/render/width.ts';

const totals: Totals = {
  stages: 12,
  ran: 2,
  restored: 1,
  skipped: 4,
  failed: 0,
  savedSeconds: 720,
  secondsLeft: 200,
};

describe('the lines of the live display', () => {
  const running = [
    { name: 'train', elapsed: 75, fraction: 0.4, text: 'epoch 4 of 10' },
    { name: '評価', elapsed: 3.21, usual: 30 },
    { name: 'slow', elapsed: 40, usual: 30, text: 'a line that it printed' },
  ];

  test('wide and narrow', () => {
    expect(liveFrame(running, totals, { columns: 100, rows: 24 }).join('\n')).toMatchInlineSnapshot(`
      "▸ train  1 min 15 s, 1 min 53 s left  ████░░░░░░  40 %  epoch 4 of 10
      ▸ 評価   3.2 s, 27 s left
      ▸ slow   40 s  a line that it printed
        7 of 12 · 2 ran · 1 restored · 4 skipped · 12 min 0 s saved · about 3 min 20 s left"
    `);
    expect(liveFrame(running, totals, { columns: 32, rows: 7 }).join('\n')).toMatchInlineSnapshot(`
      "▸ train  1 min 15 s, 1 min 53 …
        and 2 more running
        7 of 12 · 2 ran · 1 restored…"
    `);
  });

  test('never take more room than there is', () => {
    const stage = fc.record({
      name: fc.string({ unit: 'grapheme', minLength: 1 }),
      elapsed: fc.nat(1e6),
      usual: fc.option(fc.nat(1e6), { nil: undefined }),
      fraction: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      text: fc.option(fc.string({ unit: 'grapheme' }).map(plainLine), { nil: undefined }),
    });
    fc.assert(
      fc.property(
        fc.array(stage, { maxLength: 40 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 60 }),
        (stages, columns, rows) => {
          const lines = liveFrame(stages, totals, { columns, rows });
          expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 4));
          for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(Math.max(1, columns - 1));
        },
      ),
    );
  });
});

test('text is cut by the columns that it takes', () => {
  expect(fitColumns('abc', 3)).toBe('abc');
  expect(fitColumns('abcd', 3)).toBe('ab…');
  expect(fitColumns('日本語', 6)).toBe('日本語');
  expect(fitColumns('日本語', 5)).toBe('日本…');
  expect(fitColumns('日本語', 4)).toBe('日…');
  expect(fitColumns('abc', 0)).toBe('');
});

test('of a line only what it shows at last, and nothing that a terminal would obey', () => {
  expect(plainLine('\x1b[1;32m10 %\x1b[0m\r\x1b[2K\x1b[33m20 %\x1b[0m\r')).toBe('20 %');
  expect(plainLine('\x1b]0;title\x07a\tb\u0007\u202e')).toBe('a b');
});

describe('the time that is left', () => {
  const graph: Record<string, string[]> = { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] };
  const left = (options: {
    usual: Record<string, number>;
    settled?: string[];
    elapsed?: Record<string, number>;
    jobs?: number;
  }) =>
    timeLeft({
      stages: Object.keys(graph) as StageAddress[],
      upstream: (stage) => (graph[stage] ?? []) as StageAddress[],
      isSettled: (stage) => options.settled?.includes(stage) ?? false,
      usual: (stage) => options.usual[stage],
      elapsed: (stage) => options.elapsed?.[stage],
      jobs: options.jobs ?? 8,
    });

  test('is the longest way, or the work shared out', () => {
    const usual = { a: 10, b: 20, c: 5, d: 1 };
    expect(left({ usual })).toBe(31);
    expect(left({ usual, jobs: 1 })).toBe(36);
    expect(left({ usual, settled: ['a'], elapsed: { b: 15, c: 9 } })).toBe(6);
  });

  test('takes the mean for what never ran, and is not known where nothing ever did', () => {
    expect(left({ usual: { a: 10, b: 20 } })).toBe(45);
    expect(left({ usual: {} })).toBeUndefined();
    expect(left({ usual: { a: 1 }, settled: ['a'] })).toBeUndefined();
  });
});
