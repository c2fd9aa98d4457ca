import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject;
beforeEach(() => {
  project = makeProject();
  project.write('seed', '1\n');
  project.write('a', 'a\n');
});
afterEach(() => project.remove());

/** Copies a file that it does not declare, so that the test decides whether it is reproducible. */
const pipeline = (stage = '', file = ''): string =>
  `${file}stages:\n  train:\n    cmd: cp seed model; cp a same\n    deps: [a]\n    outs: [model, same]\n${stage}`;

const warnings = (events: readonly Record<string, unknown>[]): unknown[] =>
  events.filter(({ event }) => event === 'warning').map(({ message }) => message);

test('other bytes from the same inputs are told, both are kept, and the newest comes back', async () => {
  project.write('pipeline.yaml', pipeline());
  expect(warnings((await project.repro()).events)).toEqual([]);
  expect(warnings((await project.repro(['-f'])).events)).toEqual([]);
  expect((await project.dag(['why', 'train'])).stdout).not.toContain('reproducible');
  project.write('seed', '2\n');
  const [warning, ...more] = warnings((await project.repro(['-f'])).events);
  expect(more).toEqual([]);
  expect(String(warning).replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, 'TIME')).toBe(
    "stage 'train' made other bytes than the run of TIME UTC from the same inputs: it is not reproducible ('model' differs)",
  );
  const told = 'not reproducible: runs with these inputs made 2 different results (model)';
  expect((await project.dag(['why', 'train'])).stdout).toContain(told);
  expect((await project.dag(['status', '-v'])).stdout).toContain(`train\n  ${told}`);
  expect((await project.dag(['status'])).stdout).toBe('Everything is up to date.\n');
  const [newest, before] = JSON.parse((await project.dag(['log', '--json'])).stdout) as Record<string, unknown>[];
  expect(newest).toMatchObject({ not_reproducible: { outs: ['model'] } });
  expect(before).not.toHaveProperty('not_reproducible');
  for (const file of ['pipeline.lock', 'model', 'same']) project.write(file, '');
  project.write('pipeline.lock', 'schema: 1\n');
  expect(await project.repro()).toMatchObject({ restored: ['train'] });
  expect(project.read('model')).toBe('2\n');
});

test('a salt disowns what was made before, of a stage or of all of a file, and taking it back owns it again', async () => {
  project.write('pipeline.yaml', pipeline());
  await project.repro();
  const lock = project.read('pipeline.lock');
  project.write('pipeline.yaml', pipeline('    salt: v2\n'));
  const why = await project.dag(['why', 'train']);
  expect(why.stdout).toContain('salt changed: none → v2');
  expect(await project.dag(['status', '--json'])).toMatchObject({
    stdout:
      '{"stages":{"train":[{"changed":"definition","path":"salt","how":"modified","before":"","after":"v2"}]},"data":{}}\n',
  });
  expect(await project.repro()).toMatchObject({ ran: ['train'] });
  expect(await project.repro()).toMatchObject({ skipped: ['train'] });
  project.write('pipeline.yaml', pipeline('    salt: v2\n', 'salt: 7\n'));
  expect(await project.repro()).toMatchObject({ ran: ['train'] });
  expect(project.read('pipeline.lock')).toContain("    salt: '7, v2'\n");
  project.write('pipeline.yaml', pipeline());
  expect(await project.repro()).toMatchObject({ restored: ['train'] });
  expect(project.read('pipeline.lock')).toBe(lock);
});
