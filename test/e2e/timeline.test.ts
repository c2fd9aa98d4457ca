import { expect, test } from 'vitest';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();
const held = heldPerTest();

interface TraceEvent {
  readonly ph: string;
  readonly name: string;
  readonly cat?: string;
  readonly tid: number;
  readonly ts: number;
  readonly dur: number;
  readonly args: Record<string, unknown>;
}

/** Two that run at once, one that needs both, one that fails, and one that it blocks. */
const stages = (end: string): string => `stages:
  a: {cmd: ${JSON.stringify(`${held.command('a')}; echo a > a`)}, outs: [a]}
  b: {cmd: ${JSON.stringify(`${held.command('b')}; echo b > b`)}, outs: [b]}
  both: {cmd: cat a b > both, deps: [a, b], outs: [both]}
  fails: {cmd: ${end}, deps: [both], outs: [c]}
  never: {cmd: cat c, deps: [c]}
`;

async function bothRun(): Promise<void> {
  const [a, b] = await Promise.all([held.started('a'), held.started('b')]);
  for (const one of [a, b]) one.release();
}

test('one row a slot, a stage from its turn to its end with its reason, and what it waited for', async () => {
  project.write('pipeline.yaml', stages('exit 3'));
  const ended = project.repro(['-j', '2', '-k', '--timeline', 'trace.json']);
  await bothRun();
  expect(await ended).toMatchObject({ failed: ['fails'] });
  const events = JSON.parse(project.read('trace.json')) as TraceEvent[];
  const complete = events.filter(({ ph }) => ph === 'X');
  const at = (name: string): TraceEvent | undefined => complete.find((event) => event.name === name);
  expect(complete.map(({ name }) => name).sort()).toEqual(['a', 'b', 'both', 'fails', 'never']);
  expect(at('a')).toMatchObject({
    cat: 'run',
    args: { decision: 'run', reason: 'never run', status: 'ok', exit_code: 0 },
  });
  expect(at('fails')).toMatchObject({ args: { status: 'failed', exit_code: 3 } });
  expect(at('never')).toMatchObject({ cat: 'blocked' });
  // At once on two rows; what needs both begins when both have ended.
  const [a, b, both] = [at('a'), at('b'), at('both')];
  expect(new Set([a?.tid, b?.tid])).toEqual(new Set([1, 2]));
  const ends = [a, b].map((event) => (event?.ts ?? 0) + (event?.dur ?? 0));
  expect(both?.ts).toBeGreaterThanOrEqual(Math.max(...ends));
  const names = events.filter(({ ph, name }) => ph === 'M' && name === 'thread_name');
  expect(names.map(({ args }) => args['name'])).toEqual(['slot 1', 'slot 2']);
  const waits = events.filter(({ cat }) => cat === 'wait');
  expect(waits.filter(({ ph }) => ph === 'b')).toHaveLength(waits.filter(({ ph }) => ph === 'e').length);
  // A second time it tells of restored and skipped ones, and takes the place of the first.
  project.write('both', 'edited');
  await project.repro(['both', '--timeline', 'trace.json']);
  const second = (JSON.parse(project.read('trace.json')) as TraceEvent[]).filter(({ ph }) => ph === 'X');
  expect(second).toMatchObject([
    { name: 'a', cat: 'skip', tid: 1 },
    { name: 'b', cat: 'skip' },
    { name: 'both', cat: 'restore', args: { reason: expect.stringContaining('out both modified') } },
  ]);
});

test('holds what is over when dag is killed: only the closing bracket is missing', async () => {
  project.write('pipeline.yaml', stages(JSON.stringify(held.command('fails'))));
  const { child, ended } = project.start(['repro', '-j', '2', '--timeline', 'trace.json']);
  await bothRun();
  const last = await held.started('fails');
  child.kill('SIGKILL');
  await ended;
  process.kill(last.pid, 'SIGKILL');
  const events = JSON.parse(`${project.read('trace.json')}]`) as TraceEvent[];
  expect(events.filter(({ ph }) => ph === 'X').map(({ name }) => name)).toEqual(
    expect.arrayContaining(['a', 'b', 'both']),
  );
});

test('a file that can not be written is told before anything runs', async () => {
  project.write('pipeline.yaml', stages('exit 0'));
  const ran = await project.dag(['repro', '--timeline', 'no/where.json']);
  expect(ran).toMatchObject({ status: 2 });
  expect(ran.stderr).toContain("where.json' can't be written: its folder does not exist");
  expect(held.order).toEqual([]);
});
