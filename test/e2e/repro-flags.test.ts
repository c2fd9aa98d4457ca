import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';

let project: TestProject;
beforeEach(async () => {
  project = makeProject();
  project.write('pipeline.yaml', PIPELINE);
  for (const name of ['x', 'y', 'z']) project.write(name, `${name}\n`);
  expect((await project.repro()).status).toBe(0);
  fs.rmSync(project.path('ran'));
});
afterEach(() => project.remove());

/** x → a → b (counts lines) → c ← y; z → d; c, d → e; two that stand apart. */
const PIPELINE = `stages:
${stage('a', ['x'], 'cat x > a')}${stage('b', ['a'], 'wc -l < a > b')}${stage('c', ['b', 'y'], 'cat b y > c')}
${stage('d', ['z'], 'cat z > d')}${stage('e', ['c', 'd'], 'cat c d > e')}${stage('solo', ['y'], 'cat y > solo')}
${stage('copy1', ['z'], 'cat z > copy1')}`;

function stage(name: string, deps: readonly string[], cmd: string): string {
  return `  ${name}:\n    cmd: echo ${name} >> ran; ${cmd}\n    deps: [${deps.join(', ')}]\n    outs: [${name}]\n`;
}

const ran = (): string => (project.exists('ran') ? project.read('ran').trim().replaceAll('\n', ' ') : '');
const change = (...names: string[]): void => {
  for (const name of names) fs.appendFileSync(project.path(name), 'more\n');
};
const edit = (from: string, to: string): void =>
  project.write('pipeline.yaml', project.read('pipeline.yaml').replace(from, to));
const forget = (): void => fs.rmSync(project.path('pipeline.lock'));
const failing = (): void => {
  change('z');
  edit('cat b y', 'false');
};
const all = 'a b c d e solo copy1';

/** What real DVC 3.67 runs of the same stages after the same edit, but where a line says otherwise. */
const CASES: readonly (readonly [args: string, edits: () => void, runs: string, status?: number])[] = [
  ['', () => {}, ''],
  ['', () => change('x'), 'a b c e'],
  ['', () => project.write('x', 'other\n'), 'a b'],
  ['--force-downstream', () => project.write('x', 'other\n'), 'a b c e'],
  ['-f b', () => {}, 'a b'],
  ['-f', () => {}, all],
  ['-f', () => edit('  b:', '  b:\n    frozen: true'), 'a c d e solo copy1'],
  ['-s c', () => change('x'), ''],
  ['-s c a', () => change('x', 'y'), 'c a'],
  ['-s -f c', () => {}, 'c'],
  ['-p c', () => change('x', 'y', 'z'), 'a b c d e'],
  ['-p solo', () => change('x', 'y', 'z'), 'solo'],
  ['-P', () => change('x', 'y', 'z'), all],
  ['--downstream b', () => change('x', 'y', 'z'), 'c e'],
  ['--downstream b -f', () => {}, 'b c e'],
  ['--dry', () => change('x'), ''],
  ['--glob copy*', () => change('z'), 'copy1'],
  ['c', () => change('x', 'z'), 'a b c'],
  ['./d', () => change('z'), 'd'],
  ['', forget, ''],
  ['--no-run-cache', forget, all],
  ['--no-commit', () => change('x'), 'a b c e'],
  ['', () => edit('cat z > d', 'cat z  > d'), 'd'],
  ['', () => edit('[c, d]', '[d, c]'), ''],
  // DVC overlooks what is gone from the declaration.
  ['', () => edit('[b, y]', '[b]'), 'c'],
  ['', () => edit('cat b y', 'false'), 'c', 1],
  ['-k', () => failing(), 'c d copy1', 1],
  // DVC has removed the old c by then, so that e can't run; and says 0.
  ['--ignore-errors', () => failing(), 'c d e copy1', 1],
  ['', () => fs.rmSync(project.path('x')), '', 2],
  ['--allow-missing', () => fs.rmSync(project.path('x')), ''],
  ['-i', () => change('x'), '', 2],
  ['nope', () => change('x'), '', 2],
];

describe('what runs with', () => {
  test.each(CASES.map((one, i) => [one[0] || 'no flags', i] as const))('%s (%i)', async (_, i) => {
    const [args, edits, runs, status = 0] = CASES[i] as (typeof CASES)[number];
    edits();
    const outcome = await project.dag(['repro', ...args.split(' ').filter(Boolean)]);
    expect({ ran: ran(), status: outcome.status }).toEqual({ ran: runs, status });
  });
});

test('what --allow-missing took as given comes back for a stage that has to run', async () => {
  for (const name of ['a', 'b', 'c']) fs.rmSync(project.path(name));
  change('y');
  expect(await project.repro(['--allow-missing'])).toMatchObject({ status: 0, ran: ['c', 'e', 'solo'] });
  expect([project.exists('a'), project.read('b')]).toEqual([false, '1\n']);
  fs.rmSync(project.path('b'));
  fs.rmSync(project.path('.cache/objects'), { recursive: true });
  change('y');
  const { status, stderr } = await project.dag(['repro', '--allow-missing', 'c']);
  expect({ status, ran: ran() }).toEqual({ status: 1, ran: 'c e solo' });
  expect(stderr).toContain("'b', which stage 'c' needs, is neither here nor in the cache");
});

test('an out that git tracks is refused before its stage runs', async () => {
  project.git('add', '-f', 'd');
  change('z');
  const { status, stderr } = await project.dag(['repro', 'd']);
  expect({ status, ran: ran(), d: project.read('d') }).toEqual({ status: 1, ran: '', d: 'z\n' });
  expect(stderr).toContain("stage 'd' does not run: its out 'd' is tracked by git");
  expect(stderr).toContain('git rm -r --cached d');
});
