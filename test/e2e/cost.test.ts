import { afterEach, expect, test } from 'vitest';
import { type Counts, countCalls, total } from '../rigs/counted-calls.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject | undefined;
afterEach(() => project?.remove());

/** A chain of stages, each of which reads what the one before it made. */
function chain(length: number): string {
  const name = (i: number): string => (i === 0 ? 'in' : `out/${i}`);
  const stages = Array.from({ length }, (_, i) => {
    const cmd = `{ cat ${name(i)}; echo 1; } > ${name(i + 1)}`;
    return `  s${i + 1}:\n    cmd: ${JSON.stringify(cmd)}\n    deps: [${name(i)}]\n    outs: [${name(i + 1)}]\n`;
  });
  return `stages:\n${stages.join('')}`;
}

/** What `dag repro` does to files, when all stages of a chain run, and when all are restored. */
async function costs(length: number): Promise<{ readonly run: Counts; readonly restore: Counts }> {
  project?.remove();
  project = makeProject();
  const one = project;
  one.write('in', 'text\n');
  one.write('pipeline.yaml', chain(length));
  const counted = (how: 'ran' | 'restored') =>
    countCalls(one.root, one.home, async (env) => {
      const ended = await one.repro([], { env });
      expect(ended).toMatchObject({ status: 0 });
      expect(ended[how]).toHaveLength(length);
    });
  const run = await counted('ran');
  for (const file of ['pipeline.lock', 'out']) one.git('clean', '-fdxq', file);
  return { run, restore: await counted('restored') };
}

/** Calls for pipeline.lock and what watches it go by the clock: so many may be in one run and not in another. */
const TIMED = 100;

test('what a stage costs in files: none is made or synced needlessly, and more stages do not make it more', async () => {
  const [few, more, many] = [await costs(10), await costs(30), await costs(50)];
  for (const what of ['run', 'restore'] as const) {
    const [first, second] = [total(more[what]) - total(few[what]), total(many[what]) - total(more[what])];
    expect(second).toBeLessThanOrEqual(first + TIMED);
  }
  // Locks are left out: one is taken for each write of pipeline.lock, too.
  const each = (what: 'run' | 'restore', call: string): number =>
    ((many[what][call] ?? 0) - (few[what][call] ?? 0)) / 40;
  expect({
    object: each('run', 'sync .cache/tmp/object'),
    record: each('run', 'sync .cache/tmp/record'),
    log: each('run', 'write .cache/logs'),
    note: each('run', 'write .cache/running'),
    aside: each('run', 'write .cache/tmp/aside'),
    out: each('restore', 'write .cache/tmp/place'),
    restored: each('restore', 'sync .cache/objects') + each('restore', 'sync .cache/runs'),
  }).toEqual({ object: 1, record: 1, log: 2, note: 1, aside: 0, out: 1, restored: 0 });
  // Folders in which an object or a record got its name, and those in which these were made.
  expect(each('run', 'sync .cache/objects') + each('run', 'sync .cache/runs')).toBeLessThanOrEqual(5);
  expect((total(many.run) - total(few.run)) / 40).toBeLessThan(75);
  expect((total(many.restore) - total(few.restore)) / 40).toBeLessThan(45);
});
