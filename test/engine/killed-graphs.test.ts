import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runs } from '../fuzz.ts';
import { makeProject, type TestProject } from '../rigs/project.ts';
import { type Edit, MOMENTS, type Moment, markEdit, outsOf, plainEdits, shapes, World } from './world.ts';

/**
 * Who is killed by SIGKILL when a stage is at some moment: its dag, and the stage goes on or hangs; all processes of the
 * stage; or both.
 */
const VICTIMS = {
  dag: 'kill -9 $PPID',
  'dag of a hanging stage': 'kill -9 $PPID; read never < "$FIFO"',
  stage: 'kill -9 0',
  both: 'kill -9 $PPID 0',
} as const;

interface Death {
  readonly who: keyof typeof VICTIMS;
  readonly stage: number;
  readonly moment: Moment;
}

const death: fc.Arbitrary<Death> = fc.record({
  who: fc.constantFrom(...(Object.keys(VICTIMS) as (keyof typeof VICTIMS)[])),
  stage: fc.nat({ max: 6 }),
  moment: fc.constantFrom(...MOMENTS),
});

interface Round {
  readonly edits: readonly Edit[];
  readonly deaths: readonly Death[];
}

const round: fc.Arbitrary<Round> = fc.record({
  edits: fc.array(fc.oneof(...plainEdits, ...plainEdits, markEdit), { minLength: 1, maxLength: 3 }),
  deaths: fc.array(death, { minLength: 1, maxLength: 2 }),
});

test(
  'whoever is killed, and whenever: the next run does what is left to do, and the one after it nothing',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        shapes,
        fc.array(round, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(1, 3),
        async (all, rounds, jobs) => {
          const project = makeProject();
          try {
            const world = new World(all);
            world.write(project.root);
            for (const { edits, deaths } of rounds) {
              for (const edit of edits) world.apply(project.root, edit);
              await endure(project, world, deaths, jobs);
            }
            expect((await project.dag(['fsck'])).status).toBe(0);
            expect(fs.readdirSync(project.path('.cache/tmp'))).toEqual([]);
            expect(fs.readdirSync(project.path('.cache/running'))).toEqual([]);
          } finally {
            project.remove();
          }
        },
      ),
      { numRuns: runs(8) },
    );
  },
  runs(600_000),
);

test(
  'of two at once one is killed: the other does all that is to be done',
  async () => {
    await fc.assert(
      fc.asyncProperty(shapes, fc.array(round, { minLength: 1, maxLength: 2 }), async (all, rounds) => {
        const project = makeProject();
        try {
          const world = new World(all);
          world.write(project.root);
          for (const { edits, deaths } of rounds) {
            for (const edit of edits) world.apply(project.root, edit);
            const expected = world.expected();
            fs.rmSync(project.path('ran'), { force: true });
            const [death] = deaths as [Death];
            const [other] = await Promise.all([
              project.repro(['-j', '2']),
              project.dag(['repro', '-q', '-j', '2'], { env: deadly(project, death) }),
            ]);
            expect({ status: other.status, failed: other.failed }).toEqual({ status: 0, failed: [] });
            expect(outsOf(project.root, world)).toEqual(world.outs);
            const began = project.exists('ran') ? project.read('ran').trim().split('\n').sort() : [];
            // Whose dag was killed was at work in that one, up to two of them.
            const isTwice = (stage: string): boolean => began.filter((one) => one === stage).length === 2;
            const twice = [...new Set(began)].filter(isTwice).filter((stage) => !world.alwaysRuns(stage));
            expect([...new Set(began)]).toEqual([...expected.ran].sort());
            expect(twice.length).toBeLessThanOrEqual(2);
            const again = await project.repro();
            expect(again.ran.filter((stage) => !world.alwaysRuns(stage))).toEqual([]);
          }
          expect((await project.dag(['fsck'])).status).toBe(0);
        } finally {
          project.remove();
        }
      }),
      { numRuns: runs(8) },
    );
  },
  runs(600_000),
);

/** Runs as often as there are deaths to die, then to the end, and compares it all with what the naive picture says. */
async function endure(project: TestProject, world: World, deaths: readonly Death[], jobs: number): Promise<void> {
  const expected = world.expected();
  const [told, began] = [new Set<string>(), new Set<string>()];
  for (const one of deaths) {
    const ran = await dieOnce(project, one, jobs);
    for (const stage of ran.began) began.add(stage);
    for (const stage of ran.told) told.add(stage);
    // One at a time: what began before the stage that was killed was told, and is durable.
    if (jobs === 1) expect(ran.began.filter((stage) => !told.has(stage))).toEqual(ran.killed ? [`t${one.stage}`] : []);
  }
  const { status, ran, restored, skipped } = await project.repro(['-j', String(jobs)]);
  expect(status).toBe(0);
  const left = expected.ran.filter((stage) => !told.has(stage) || world.alwaysRuns(stage));
  const sure = left.filter((stage) => !began.has(stage) || world.alwaysRuns(stage));
  expect([...ran]).toEqual(jobs === 1 ? left : left.filter((stage) => ran.includes(stage)));
  expect(ran).toEqual(expect.arrayContaining(sure));
  expect([...ran, ...restored, ...skipped]).toHaveLength(world.shapes.length);
  expect(outsOf(project.root, world)).toEqual(world.outs);
  const again = await project.repro();
  expect(again.ran).toEqual(world.shapes.map((_, index) => `t${index}`).filter((stage) => world.alwaysRuns(stage)));
  expect(again.restored).toEqual([]);
}

interface Died {
  /** Stages whose command began, in that order. */
  readonly began: readonly string[];
  /** Those of which it was told that they had finished. */
  readonly told: readonly string[];
  /** Whether the stage came to run, and so to be killed. */
  readonly killed: boolean;
}

/** The environment in which a death comes about. */
function deadly(project: TestProject, { who, stage, moment }: Death): Record<string, string> {
  const fifo = project.path('..', 'fifo');
  if (!fs.existsSync(fifo)) execFileSync('mkfifo', [fifo]);
  return { AT: `case $DAG_STAGE-$at in t${stage}-${moment}) ${VICTIMS[who]};; esac`, FIFO: fifo };
}

async function dieOnce(project: TestProject, death: Death, jobs: number): Promise<Died> {
  const { who, stage } = death;
  // What a stage does that outlives its dag is not taken for the next run's.
  const file = `ran-${fs.readdirSync(project.root).filter((name) => name.startsWith('ran-')).length}`;
  const env = { ...deadly(project, death), RUN: file.slice('ran'.length) };
  const ran = await project.dag(['repro', '--json', '-j', String(jobs)], { env });
  const began = project.exists(file) ? project.read(file).trim().split('\n') : [];
  const killed = began.includes(`t${stage}`);
  const end = who === 'stage' ? { status: 1, signal: null } : { status: null, signal: 'SIGKILL' };
  expect({ status: ran.status, signal: ran.signal }).toEqual(killed ? end : { status: 0, signal: null });
  const told = ran.events.filter((event) => event['event'] === 'finished' && event['status'] === 'ok');
  return { began, told: told.map((event) => String(event['stage'])), killed };
}
