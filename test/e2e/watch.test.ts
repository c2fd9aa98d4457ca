import { type ChildProcess, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Held, holdCommands } from '../rigs/held.ts';
import { makeProject, type Ran, type TestProject } from '../rigs/project.ts';

type Event = Readonly<Record<string, unknown>>;

let project: TestProject;
let held: Held;
let started: { readonly child: ChildProcess; readonly ended: Promise<Ran> } | undefined;

beforeEach(async () => {
  project = makeProject();
  held = await holdCommands();
});
afterEach(async () => {
  started?.child.kill('SIGKILL');
  await started?.ended;
  started = undefined;
  await held.close();
  project.remove();
});

/** Starts `dag watch --json`. @returns what waits for the next event that fits, and gives all up to it. */
function watch(...args: readonly string[]): (fits: (event: Event) => boolean) => Promise<Event[]> {
  started = project.start(['watch', '--json', ...args]);
  const waiting: Event[] = [];
  let rest = '';
  let wake = (): void => {};
  started.child.stdout?.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    waiting.push(...lines.map((line) => JSON.parse(line) as Event));
    wake();
  });
  return async (fits) => {
    const seen: Event[] = [];
    for (;;) {
      for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
        seen.push(event);
        if (fits(event)) return seen;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

const isWatching = (event: Event): boolean => event['event'] === 'watching';
const summary = (events: readonly Event[]): Event | undefined => events.find((event) => event['event'] === 'summary');
const changes = (events: readonly Event[]): unknown[] =>
  events.filter((event) => event['event'] === 'changed').flatMap((event) => event['paths']);

test('runs, and again only when an input has other content', async () => {
  project.write('pipeline.yaml', PAIR);
  project.write('in', '1\n');
  project.write('other', 'x\n');
  const until = watch();
  expect(summary(await until(isWatching))).toMatchObject({ ran: ['a', 'b'] });
  // The same bytes, a file that nobody reads, an out: none is a reason. The change after them is the first that is told.
  replace('in', '1\n');
  replace('stray', 'new');
  replace('in', '2\n');
  const events = await until(isWatching);
  expect(changes(events)).toEqual(['in']);
  expect(summary(events)).toMatchObject({ ran: ['a', 'b'], skipped: [] });
  expect(project.read('b')).toBe('2\nx\n');
  replace('params.yaml', 'unused: 1\n');
  replace('other', 'y\n');
  const more = await until((event) => isWatching(event) && project.read('b') === '2\ny\n');
  expect(changes(more)).toContain('other');
});

const PAIR = `stages:
  a:
    cmd: cat in > a
    deps: [in]
    outs: [a]
  b:
    cmd: cat a other > b
    deps: [a, other]
    outs: [b]
`;

test('a change ends the stages that it concerns, and lets others end first', async () => {
  const stage = (name: string, from: string) =>
    `  ${name}:\n    cmd: ${JSON.stringify(`cat ${from} > ${name} && ${held.command(name)}`)}\n    deps: [${from}]\n    outs: [${name}]\n`;
  project.write('pipeline.yaml', `jobs: 2\nstages:\n${stage('a', 'in-a')}${stage('b', 'in-b')}`);
  project.write('in-a', '1\n');
  project.write('in-b', '1\n');
  const until = watch();
  const [first, other] = [await held.started('a'), await held.started('b')];
  replace('in-a', '2\n');
  await first.gone;
  await until((event) => event['event'] === 'finished' && event['stage'] === 'a');
  expect(held.running()).toEqual(['b']);
  other.release();
  (await held.started('a')).release();
  const events = await until(isWatching);
  expect(events.filter((event) => event['event'] === 'finished')).toMatchObject([
    { stage: 'b', status: 'ok' },
    { stage: 'a', status: 'ok' },
  ]);
  expect(held.order).toEqual(expect.arrayContaining(['a', 'b', 'a']));
  expect([project.read('a'), project.read('b')]).toEqual(['2\n', '1\n']);
});

test('a pipeline.yaml that is broken is told, and mended it goes on; Ctrl-C ends', async () => {
  project.write('pipeline.yaml', 'stages: {a: {cmd: echo 1 > a, oust: [a]}}\n');
  const until = watch();
  const events = await until(isWatching);
  expect(events).toMatchObject([{ event: 'error', code: 'unknown-key', line: 1 }, { event: 'watching' }]);
  replace('pipeline.yaml', 'stages: {a: {cmd: echo 1 > a, outs: [a]}}\n');
  expect(summary(await until(isWatching))).toMatchObject({ ran: ['a'] });
  replace('pipeline.yaml', 'stages: {a: {cmd: exit 4, outs: [a]}}\n');
  expect(summary(await until(isWatching))).toMatchObject({ failed: ['a'] });
  started?.child.kill('SIGINT');
  expect((await started?.ended)?.status).toBe(130);
  expect(project.read('a')).toBe('1\n');
});

test('an input that can not be read is told, and does not end it', async () => {
  project.write('pipeline.yaml', PAIR);
  project.write('in', '1\n');
  project.write('other', 'x\n');
  const until = watch();
  await until(isWatching);
  makeFifo(project.path('in'));
  const events = await until(isWatching);
  expect(changes(events)).toEqual(['in']);
  expect(events.filter((event) => event['event'] === 'error')).toHaveLength(1);
  replace('in', '2\n');
  expect(summary(await until((event) => isWatching(event) && project.read('b') === '2\nx\n'))).toBeDefined();
});

/** Gives a file other content, all at once: a look at it sees the old or the new, and never an empty one. */
function replace(file: string, content: string): void {
  project.write('.cache/replacement', content);
  fs.renameSync(project.path('.cache/replacement'), project.path(file));
}

/** Puts a pipe, which is no content, in the place of a file. */
function makeFifo(file: string): void {
  execFileSync('mkfifo', [`${file}.fifo`]);
  fs.renameSync(`${file}.fifo`, file);
}

test('data follows pipeline.lock when git changes that; what a run writes there itself starts nothing', async () => {
  project.write('pipeline.yaml', 'stages:\n  list: {cmd: ls data > names, deps: [data], outs: [names]}\n');
  project.write('data/a', '1\n');
  await project.dag(['add', 'data']);
  await project.dag(['repro']);
  project.git('add', '-A');
  project.git('commit', '-qm', 'one');
  const until = watch();
  await until(isWatching);
  project.write('data/b', '2\n');
  const recorded = await until(isWatching);
  expect(changes(recorded)).toEqual(['data']);
  const lock = project.read('pipeline.lock');
  project.git('checkout', '-q', 'pipeline.lock');
  const followed = await until(isWatching);
  expect(changes(followed)).toEqual(['pipeline.lock']);
  expect(fs.readdirSync(project.path('data'))).toEqual(['a']);
  expect(project.git('status', '--porcelain')).toBe('');
  project.write('pipeline.lock', lock);
  await until(isWatching);
  expect(fs.readdirSync(project.path('data'))).toEqual(['a', 'b']);
});
