import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ReproSummary, repro } from '@dag/engine';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openProject } from '../../packages/cli/src/project/open.ts';
import type { Context } from '../../packages/cli/src/verb.ts';
import { runs } from '../fuzz.ts';
import { makeProject } from '../rigs/project.ts';
import { type Edit, markEdit, outsOf, plainEdits, shapes, World } from './world.ts';

const rounds = (edits: readonly fc.Arbitrary<Edit>[]): fc.Arbitrary<Edit[][]> =>
  fc.array(fc.array(fc.oneof(...edits), { maxLength: 3 }), { minLength: 1, maxLength: 5 });

test('a run does what a naive picture of it says, and the next one nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      shapes,
      rounds([...plainEdits, markEdit, markEdit]),
      fc.constantFrom(1, 4),
      async (all, edits, jobs) => {
        const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-random-')));
        try {
          const world = new World(all);
          world.write(root);
          for (const some of [[], ...edits]) {
            for (const one of some) world.apply(root, one);
            const expected = world.expected();
            const summary = await run(root, jobs);
            expect({ ran: summary.ran, restored: summary.restored, skipped: summary.skipped }).toEqual(expected);
            expect(outsOf(root, world)).toEqual(world.outs);
          }
          if (world.settles) expect((await run(root, jobs)).skipped).toHaveLength(all.length);
        } finally {
          fs.rmSync(root, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: runs(60) },
  );
});

test('two processes at once do what one does, and nothing twice', async () => {
  await fc.assert(
    fc.asyncProperty(shapes, rounds(plainEdits), async (all, edits) => {
      const project = makeProject();
      try {
        const world = new World(all);
        world.write(project.root);
        for (const some of [[], ...edits.slice(0, 2)]) {
          for (const one of some) world.apply(project.root, one);
          const { ran } = world.expected();
          fs.rmSync(project.path('ran'), { force: true });
          const both = await Promise.all([project.repro(['-j', '2']), project.repro(['-j', '2'])]);
          expect(both.map(({ status, stderr }) => ({ status, stderr }))).toEqual([NOTHING_SAID, NOTHING_SAID]);
          expect(outsOf(project.root, world)).toEqual(world.outs);
          const began = project.exists('ran') ? project.read('ran').trim().split('\n').sort() : [];
          expect(began).toEqual([...ran].sort());
        }
        expect((await project.repro()).skipped).toHaveLength(all.length);
      } finally {
        project.remove();
      }
    }),
    { numRuns: runs(4) },
  );
});

const NOTHING_SAID = { status: 0, stderr: '' };

async function run(root: string, jobs: number): Promise<ReproSummary> {
  const context = {
    cwd: root,
    root,
    io: { env: { PATH: process.env['PATH'] }, colour: { out: false, err: false } },
    json: false,
    say: () => {},
  } as unknown as Context;
  const project = await openProject(context, { mutates: true });
  try {
    const { stop, kill } = { stop: new AbortController().signal, kill: new AbortController().signal };
    return await repro(project, project.pipeline.order, { jobs }, { stop, kill }, () => {});
  } finally {
    await project.close();
  }
}
