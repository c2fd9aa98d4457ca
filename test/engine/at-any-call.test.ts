import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runs } from '../fuzz.ts';
import { atCall } from '../rigs/at-call.ts';
import { projectPerTest } from '../rigs/per-test.ts';
import type { Repro } from '../rigs/project.ts';

// A repro dies, or the disk is full, right before one of the calls by which it changes files: each of them, when
// `npm run fuzz` asks for many.

const project = projectPerTest();
const library = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-at-call-'));
const at = atCall(library);
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

/** A project whose stages all have to run again, and what comes of that. */
interface Start {
  /** Makes the project be that again. */
  again(): void;
  readonly before: ReturnType<typeof outs>;
  readonly after: ReturnType<typeof outs>;
  /** What pipeline.lock says then. */
  readonly lock: string;
}

async function makeStart(): Promise<Start> {
  project.write('pipeline.yaml', YAML);
  project.write('in', 'one\n');
  expect((await repro()).ran).toEqual(STAGES);
  project.git('add', '-A');
  project.git('commit', '-qm', 'one');
  const before = outs();
  project.write('in', 'two\n');
  const copy = path.join(project.home, 'start');
  fs.cpSync(project.root, copy, COPY);
  expect((await repro()).ran).toEqual(STAGES);
  const again = (): void => {
    fs.rmSync(project.root, { recursive: true });
    fs.cpSync(copy, project.root, COPY);
  };
  return { again, before, after: outs(), lock: project.read('pipeline.lock') };
}

function repro(env: Record<string, string> = {}): Promise<Repro> {
  return project.repro([], { env: { RAN: project.path('..', 'ran'), ...env } });
}

/** Runs to the end what was left, and compares it all with a run that nothing came between. */
async function finish({ after, lock }: Start, stopped: Repro): Promise<void> {
  const told = stopped.events.filter(({ event, status }) => event === 'finished' && status === 'ok');
  expect(await project.dag(['status'])).toMatchObject({ status: 0, stderr: '' });
  const { status, ran } = await repro();
  expect(status).toBe(0);
  expect(ran.filter((stage) => told.some((event) => event['stage'] === stage))).toEqual([]);
  expect(outs()).toEqual(after);
  expect(project.read('pipeline.lock')).toBe(lock);
  expect((await repro()).skipped).toEqual(STAGES);
  expect((await project.dag(['fsck'])).status).toBe(0);
  for (const folder of ['tmp', 'running', 'locks']) expect(left(folder)).toEqual([]);
  const changed = project.git('status', '--porcelain').split('\n').sort();
  expect(changed).toEqual(['', ' M in', ' M pipeline.lock', ' M uncached']);
}

test(
  'whichever change of a file is its last: what was told is kept, the rest is made, and the lock is what it would be',
  async (context) => {
    if ('why' in at) return context.skip(at.why);
    const start = await makeStart();
    let deaths = 0;
    for (let call = 1; ; call += every(29), deaths++) {
      start.again();
      const died = await repro(at.die(call, project.root));
      if (died.signal === null) break;
      await finish(start, died);
    }
    expect(deaths).toBeGreaterThan(5);
  },
  runs(600_000),
);

test(
  'the disk is full from any write on: it says so, nothing is lost or half there, and it works when there is room',
  async (context) => {
    if ('why' in at) return context.skip(at.why);
    const start = await makeStart();
    let failures = 0;
    for (let call = 1; ; call += every(17)) {
      start.again();
      const full = await repro(at.full(call, project.root));
      const text = full.stdout + full.stderr;
      expect(text).not.toMatch(/\n\s+at |please report/);
      if (full.status === 0 && !/disk is full|ENOSPC|no space left/i.test(text)) break;
      if (full.status !== 0) {
        failures++;
        expect({ status: full.status, text }).toEqual({ status: 3, text: expect.stringContaining('the disk is full') });
        const { persisting: _, ...rest } = outs();
        for (const [file, content] of Object.entries(rest))
          expect([start.before[file], start.after[file]]).toContain(content);
      }
      await finish(start, full);
    }
    expect(failures).toBeGreaterThan(2);
  },
  runs(600_000),
);

/** How far apart the calls are that are tried: all of them, where many cases are asked for. */
function every(usual: number): number {
  return Math.max(1, Math.round(usual / runs(1)));
}

function left(folder: string): string[] {
  const found = project.path('.cache', folder);
  return fs.existsSync(found) ? fs.readdirSync(found) : [];
}
