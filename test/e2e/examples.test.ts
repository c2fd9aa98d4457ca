import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeProject, type TestProject } from '../rigs/project.ts';

const REPO = path.resolve(import.meta.dirname, '../..');
/** What git doesn't have, and a clone neither. */
const MADE = new Set(['.cache', 'data', 'models', 'metrics', 'results', 'report.md', '__pycache__']);

let project: TestProject;
beforeEach(() => {
  project = makeProject();
  fs.symlinkSync(path.join(REPO, 'node_modules'), project.path('node_modules'));
});
afterEach(() => project.remove());

/** Copies an example to where it would be in a clone. @returns how to run things in it. */
function open(name: string) {
  const cwd = `examples/${name}`;
  const filter = (file: string) => !MADE.has(path.basename(file));
  fs.cpSync(path.join(REPO, cwd), project.path(cwd), { recursive: true, filter });
  return {
    dag: (...args: string[]) => project.dag(args, { cwd }),
    start: (...args: string[]) => project.start(args, { cwd }),
    repro: (...args: string[]) => project.repro(args, { cwd }),
    params: (text: string) => project.write(`${cwd}/params.yaml`, text),
    read: (file: string) => project.read(`${cwd}/${file}`),
  };
}

describe.each(['transfer', 'languages'])('%s', (name) => {
  test('its lock says what its pipeline, code and data say', async () => {
    const { status, stdout } = await open(name).dag('verify');
    expect(stdout).toContain('nothing would run');
    expect(status).toBe(0);
  });

  test('is a project of its own, of which one around it knows nothing', async () => {
    project.write('pipeline.yaml', 'stages:\n  mine: {cmd: "true"}\n');
    const { stages } = JSON.parse((await open(name).dag('graph', '--json')).stdout);
    expect(stages.map((stage: { name: string }) => stage.name)).not.toContain('mine');
    expect(JSON.parse((await project.dag(['graph', '--json'])).stdout).stages).toHaveLength(1);
  });
});

test('transfer: trains on a few digits, and reports', async () => {
  const example = open('transfer');
  example.params(`
split: {seed: 5, train: 20, test: 10}
base: {seed: 1, epochs: 1, batch: 25, learning_rate: 0.01}
few: {seed: 3, steps: 2, batch: 25, learning_rate: 0.01}
`);
  const { ran, status } = await example.repro();
  expect(status).toBe(0);
  expect(ran).toHaveLength(9);
  expect(example.read('report.md')).toMatch(/\| 10 \| \d+\.\d % \| \d+\.\d % \|\n/);
  expect(await example.repro()).toMatchObject({ ran: [], restored: [] });
});

test('languages: Python and a worker learn from the same scraps', async () => {
  const example = open('languages');
  example.params(`
texts: {length: 60, test: 0.3}
features: {size: 256}
perceptron: {epochs: 2, seed: 11}
network: {epochs: 3, batch: 32, learning_rate: 0.01, seed: 4}
gpu: 0
`);
  const { ran, status, events } = await example.repro();
  expect(status).toBe(0);
  expect(ran).toHaveLength(5);
  const all = /^\| all \| ([\d.]+)% \| ([\d.]+)% \|$/m.exec(example.read('report.md'));
  expect(Number(all?.[1])).toBeGreaterThan(60);
  expect(Number(all?.[2])).toBeGreaterThan(60);
  // Metrics of a plain command come as those of a worker do.
  const metrics = events.filter(({ event, name }) => event === 'metric' && name === 'accuracy');
  expect(metrics.map(({ stage }) => stage).sort()).toEqual(['network', 'perceptron']);
});

test('languages: a Python stage that was ended goes on, and makes the same bytes as one that was not', async () => {
  const example = open('languages');
  example.params(`
texts: {length: 60, test: 0.8}
features: {size: 256}
perceptron: {epochs: 8, seed: 11}
network: {epochs: 1, batch: 32, learning_rate: 0.01, seed: 4}
gpu: 0
`);
  const { child, ended } = example.start('repro', 'perceptron');
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      if (String(chunk).includes('epoch 2:')) child.kill('SIGTERM');
    });
  }
  expect((await ended).status).toBe(143);
  const resumed = await example.dag('repro', 'perceptron');
  expect(`${resumed.stdout}${resumed.stderr}`).toMatch(/goes on behind epoch \d+/);
  const answers = example.read('results/perceptron.csv');
  const straight = await example.dag('repro', '-f', '-s', 'perceptron');
  expect(`${straight.stdout}${straight.stderr}`).toContain('epoch 1:');
  expect(example.read('results/perceptron.csv')).toBe(answers);
});
