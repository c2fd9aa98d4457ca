import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runs } from '../fuzz.ts';
import { deathAtCall } from '../rigs/death-at-call.ts';
import { projectPerTest } from '../rigs/per-test.ts';

// A repro dies right before one of the calls by which it changes files: each of them, when `npm run fuzz` asks for many.

const project = projectPerTest();
const library = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-death-'));
const death = deathAtCall(library);
afterAll(() => fs.rmSync(library, { recursive: true }));

/** Of every kind: what the run cache keeps, a folder, what only the lock tells of, what finds its old out. */
const YAML = `stages:
  kept: {cmd: echo kept >> "$RAN"; cat in > kept, deps: [in], outs: [kept]}
  folder: {cmd: 'echo folder >> "$RAN"; mkdir -p folder/a; cp kept folder/a; cp in folder/b', deps: [in, kept], outs: [folder]}
  uncached: {cmd: echo uncached >> "$RAN"; cat folder/b > uncached, deps: [folder], outs: [uncached: {cache: false}]}
  persisting: {cmd: echo persisting >> "$RAN"; cat kept > persisting, deps: [kept], outs: [persisting: {persist: true}]}
`;

const COPY = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const;

const STAGES = ['kept', 'folder', 'uncached', 'persisting'];

/** Files that the run makes, with their content; undefined where there is none. */
function outs(): Record<string, string | undefined> {
  const files = ['kept', 'folder/a/kept', 'folder/b', 'uncached', 'persisting'];
  return Object.fromEntries(files.map((file) => [file, project.exists(file) ? project.read(file) : undefined]));
}

test('whichever change of a file is its last: what was told is kept, the rest is made, and the lock is what it would be', async (context) => {
  if ('why' in death) return context.skip(death.why);
  const env = { RAN: project.path('..', 'ran') };
  project.write('pipeline.yaml', YAML);
  project.write('in', 'one\n');
  expect((await project.repro([], { env })).ran).toEqual(STAGES);
  project.git('add', '-A');
  project.git('commit', '-qm', 'one');
  project.write('in', 'two\n');
  const start = path.join(project.home, 'start');
  fs.cpSync(project.root, start, COPY);
  expect((await project.repro([], { env })).ran).toEqual(STAGES);
  const [after, lock] = [outs(), project.read('pipeline.lock')];
  const stride = Math.max(1, Math.round(23 / runs(1)));
  let deaths = 0;
  for (let call = 1; ; call += stride, deaths++) {
    fs.rmSync(project.root, { recursive: true });
    fs.cpSync(start, project.root, COPY);
    fs.rmSync(env.RAN, { force: true });
    const died = await project.dag(['repro', '--json'], { env: { ...env, ...death.env(call, project.root) } });
    if (died.signal === null) break;
    const told = died.events.filter(({ event, status }) => event === 'finished' && status === 'ok');
    expect(await project.dag(['status'])).toMatchObject({ status: 0, stderr: '' });
    const { status, ran } = await project.repro([], { env });
    expect(status).toBe(0);
    expect(ran.filter((stage) => told.some((event) => event['stage'] === stage))).toEqual([]);
    expect(outs()).toEqual(after);
    expect(project.read('pipeline.lock')).toBe(lock);
    expect((await project.repro([], { env })).skipped).toEqual(STAGES);
    expect((await project.dag(['fsck'])).status).toBe(0);
    for (const folder of ['tmp', 'running', 'locks']) expect(left(folder)).toEqual([]);
    expect(project.git('status', '--porcelain').split('\n').sort()).toEqual([
      '',
      ' M in',
      ' M pipeline.lock',
      ' M uncached',
    ]);
  }
  expect(deaths).toBeGreaterThan(5);
}, 600_000);

function left(folder: string): string[] {
  const at = project.path('.cache', folder);
  return fs.existsSync(at) ? fs.readdirSync(at) : [];
}
