import type { Stage, StageAddress } from '@dag/model';
import type { Pipeline } from '@dag/pipeline';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { criticalOrder, type PastRuns } from '../src/critical-path.ts';
import { planStages } from '../src/plan.ts';

/** A graph by its edges; stages are named in topological order. */
function graph(names: string, edges: readonly string[] = []) {
  const stages = names.split(' ').map((name) => ({ address: name }) as unknown as Stage);
  const ends = edges.map((edge) => edge.split('>') as [string, string]);
  const pipeline = {
    upstream: (name: string) => ends.filter(([, to]) => to === name).map(([from]) => from),
    downstream: (name: string) => ends.filter(([from]) => from === name).map(([, to]) => to),
  } as unknown as Pipeline;
  return { stages, pipeline };
}

function took(seconds: Record<string, number>): PastRuns {
  return (stage) => (seconds[stage] === undefined ? undefined : { seconds: seconds[stage] });
}

/** The order in which stages start, one by one, when nothing but the graph holds them up. */
function startOrder({ stages, pipeline }: ReturnType<typeof graph>, past: PastRuns): string[] {
  const plan = planStages(pipeline, stages, criticalOrder(pipeline, stages, past));
  const order: string[] = [];
  for (let next = plan.next(() => true); next !== undefined; next = plan.next(() => true)) {
    order.push(next.address);
    plan.settled(next.address);
  }
  return order;
}

test('the stage that took longest goes first', () => {
  expect(startOrder(graph('a b c'), took({ a: 2, b: 3, c: 60 }))).toEqual(['c', 'b', 'a']);
});

test('what leads to much goes before what is long itself', () => {
  const chain = graph('long short next last', ['short>next', 'next>last']);
  expect(startOrder(chain, took({ long: 10, short: 1, next: 8, last: 8 }))).toEqual(['short', 'next', 'long', 'last']);
});

test('what never ran counts as the middle of what did, and nothing known as one each', () => {
  expect(startOrder(graph('new a b c'), took({ a: 2, b: 5, c: 60 }))).toEqual(['c', 'new', 'b', 'a']);
  expect(startOrder(graph('a b c d', ['b>d']), () => undefined)).toEqual(['b', 'a', 'c', 'd']);
});

test('quick stages keep their order, whatever they took', () => {
  expect(startOrder(graph('a b c'), took({ a: 0.1, b: 0.9, c: 1.2 }))).toEqual(['a', 'b', 'c']);
});

test('in any graph, a ready stage starts only before those whose way to the end is no longer', () => {
  const random = fc.integer({ min: 1, max: 12 }).chain((count) =>
    fc.record({
      seconds: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: count, maxLength: count }),
      edges: fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1))),
    }),
  );
  fc.assert(
    fc.property(random, ({ seconds, edges }) => {
      const names = seconds.map((_, index) => `s${index}`);
      const forward = [...new Set(edges.filter(([from, to]) => from < to).map(([from, to]) => `s${from}>s${to}`))];
      const { stages, pipeline } = graph(names.join(' '), forward);
      const past = took(Object.fromEntries(names.map((name, index) => [name, seconds[index] ?? 1])));
      const way = (name: string): number => {
        const after = pipeline.downstream(name as StageAddress).map(way);
        return (past(name as StageAddress)?.seconds ?? 0) + Math.max(0, ...after);
      };
      const plan = planStages(pipeline, stages, criticalOrder(pipeline, stages, past));
      const started = new Set<string>();
      for (let next = plan.next(() => true); next !== undefined; next = plan.next(() => true)) {
        started.add(next.address);
        const ready = names.filter(
          (name) => !started.has(name) && pipeline.upstream(name as StageAddress).every((up) => started.has(up)),
        );
        for (const name of ready) expect(way(next.address)).toBeGreaterThanOrEqual(way(name));
        plan.settled(next.address);
      }
      expect(started.size).toBe(names.length);
    }),
  );
});
