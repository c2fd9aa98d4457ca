import { statSync } from 'node:fs';
import { join } from 'node:path';
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

/** Calls by which pipeline.lock is written, or looked at, in turn with others: how often that is goes by the clock. */
const TIMED = /pipeline\.lock$|^\S+ \.cache\/(locks|tmp|tmp\/file)$/;

/** So many of these a write of pipeline.lock takes; the others are those of the locks that each stage takes. */
const LOCK_WRITE = 15;

function untimed(counts: Counts): number {
  return total(Object.fromEntries(Object.entries(counts).filter(([call]) => !TIMED.test(call))));
}

function timed(counts: Counts): number {
  return total(counts) - untimed(counts) - LOCK_WRITE * (counts['rename pipeline.lock'] ?? 0);
}

/** What is looked at in one run and not in another. */
const NOISE = 20;

test('what a stage costs in files: none is made or synced needlessly, and more stages do not make it more', async () => {
  const [few, more, many] = [await costs(10), await costs(30), await costs(50)];
  for (const what of ['run', 'restore'] as const) {
    const [first, second] = [untimed(more[what]) - untimed(few[what]), untimed(many[what]) - untimed(more[what])];
    expect(second).toBeLessThanOrEqual(first + NOISE);
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
  const most = (what: 'run' | 'restore', of: (counts: Counts) => number): number =>
    (of(many[what]) - of(few[what])) / 40;
  expect(most('run', untimed)).toBeLessThan(60);
  expect(most('restore', untimed)).toBeLessThan(35);
  expect(most('run', timed)).toBeLessThan(15);
  expect(most('restore', timed)).toBeLessThan(15);
});

test('a folder of files whose times are as they were is not listed again', async () => {
  project = makeProject();
  const one = project;
  for (let i = 0; i < 400; i++) one.write(`data/${i % 2}/a-file-with-a-long-name-${i}`, `text ${i}`);
  one.write('pipeline.yaml', '');
  const { ctimeMs } = statSync(join(one.root, 'data/1'));
  while (Date.now() < ctimeMs + 25);
  expect(await one.dag(['add', 'data'])).toMatchObject({ status: 0 });
  const status = async (says: string): Promise<number> => {
    const counts = await countCalls(one.root, one.home, async (env) => {
      expect((await one.dag(['status'], { env })).stdout).toContain(says);
    });
    return counts['readdir data/0'] ?? 0;
  };
  expect(await status('up to date')).toBe(0);
  one.write('data/0/new', 'text');
  expect(await status('modified')).toBe(1);
});
