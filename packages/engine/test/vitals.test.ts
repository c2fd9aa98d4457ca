import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LOOK_MS, Vitals } from '../src/run/vitals.ts';

/** A stage in virtual time: what it does in each second is given. */
function watch(options: { stall?: number; beats?: boolean }) {
  let now = 0;
  let cpu = 0;
  let stopped = false;
  const told: string[] = [];
  let stalledAt: number | undefined;
  const vitals = new Vitals({
    stall: options.stall,
    beats: options.beats ?? true,
    now: () => now,
    look: () => ({ cpu, rss: 1, processes: 1, stopped }),
    tell: (text) => told.push(text),
    onStalled: () => {
      stalledAt = now;
    },
  });
  const pass = (seconds: number, each: { cpu?: number; beat?: boolean; does?: string; stopped?: boolean } = {}) => {
    for (let i = 0; i < seconds; i++) {
      now += LOOK_MS;
      cpu += each.cpu ?? 0;
      stopped = each.stopped ?? false;
      if (each.beat === true) vitals.beat();
      if (each.does !== undefined) vitals.active(each.does);
      vitals.look();
    }
  };
  /** This process does not look for a while. */
  const sleep = (seconds: number) => {
    now += seconds * 1000;
    vitals.look();
  };
  return { pass, sleep, told, stalledAt: () => stalledAt };
}

describe('a stage that computes', () => {
  test('is never given up, and told of when it holds its event loop for long', () => {
    const stage = watch({ stall: 20_000 });
    stage.pass(1, { does: 'it was at 40 %' });
    stage.pass(3600, { cpu: 1 });
    expect(stage.stalledAt()).toBeUndefined();
    expect(stage.told[0]).toBe(
      'has said nothing for 10 s: its event loop is busy (10.0 s of CPU time); last, 10 s ago: it was at 40 %',
    );
    expect(stage.told.length).toBeLessThan(12);
    stage.pass(1, { beat: true });
    expect(stage.told.at(-1)).toBe('goes on, after 60 min without a word');
  });

  test('whatever it does: with some CPU time in each stretch of it, it is not given up', () => {
    const second = fc.record({ cpu: fc.double({ min: 0.02, max: 8, noNaN: true }), beat: fc.boolean() });
    fc.assert(
      fc.property(fc.array(second, { maxLength: 200 }), (seconds) => {
        const stage = watch({ stall: 10_000 });
        for (const one of seconds) stage.pass(1, one);
        expect(stage.stalledAt()).toBeUndefined();
      }),
    );
  });
});

describe('a stage that does nothing', () => {
  test('is left alone for ever where nobody said otherwise, and told of now and then', () => {
    const stage = watch({});
    stage.pass(24 * 3600);
    expect(stage.stalledAt()).toBeUndefined();
    expect(stage.told[0]).toBe('has said nothing for 30 s: it waits, and uses no CPU time');
    expect(stage.told.length).toBeLessThan(15);
  });

  test('has failed after its stall time, though its event loop turns', () => {
    const stage = watch({ stall: 60_000 });
    stage.pass(10, { does: 'x' });
    stage.pass(58, { beat: true, cpu: 0.0005 });
    expect(stage.stalledAt()).toBeUndefined();
    stage.pass(3, { beat: true, cpu: 0.0005 });
    expect(stage.stalledAt()).toBe(70_000);
  });

  test('a command is told of only where its end is near', () => {
    const silent = watch({ beats: false });
    silent.pass(3600);
    expect(silent.told).toEqual([]);
    const ending = watch({ beats: false, stall: 40_000 });
    ending.pass(50);
    expect(ending.told).toEqual([
      'has said nothing for 20 s: it waits, and uses no CPU time; it is ended after 40 s of that (stall)',
    ]);
    expect(ending.stalledAt()).toBe(40_000);
  });

  test('one that is stopped is called that', () => {
    const stage = watch({ beats: false });
    stage.pass(31, { stopped: true });
    expect(stage.told).toEqual(['has said nothing for 30 s: it is stopped']);
  });

  test('time in which this process slept counts for nothing', () => {
    const stage = watch({ stall: 60_000 });
    stage.pass(30);
    stage.sleep(8 * 3600);
    expect(stage.stalledAt()).toBeUndefined();
    stage.pass(29);
    expect(stage.stalledAt()).toBeUndefined();
    stage.pass(2);
    expect(stage.stalledAt()).toBeDefined();
  });
});
