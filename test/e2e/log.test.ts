import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();
const held = heldPerTest();

/** `train` prints its rate, takes what `factor` says as its score, and fails where that is 3. */
const TRAIN = `stages:
  train:
    cmd: echo rate $(cat params.yaml); echo "{\\"score\\":$(wc -c < params.yaml),\\"by\\":{\\"x\\":0.5}}" > m.json; grep -v 3 params.yaml > model
    deps: [code]
    params: [rate]
    outs: [model]
    metrics: [m.json]
`;

function train(rate: number): void {
  project.write('pipeline.yaml', TRAIN);
  project.write('code', 'one\n');
  project.write('params.yaml', `rate: ${rate}\n`);
}

interface Run {
  readonly stage: string;
  readonly result: string;
  readonly started_at: string;
  readonly seconds?: number;
  readonly exit_code?: number;
  readonly changes?: readonly { readonly path: string }[];
  readonly metrics: object;
  readonly logs: readonly string[];
  readonly git_commit?: string;
  readonly git_dirty?: boolean;
  readonly cpu_user?: number;
  readonly host: string;
  readonly from?: string;
  readonly context: Record<string, unknown>;
}

async function runs(...args: string[]): Promise<Run[]> {
  const { stdout, status } = await project.dag(['log', '--json', ...args]);
  expect(status).toBe(0);
  return JSON.parse(stdout) as Run[];
}

describe('past runs', () => {
  test('nothing ran yet; a stage that there is not', async () => {
    train(1);
    expect(await project.dag(['log'])).toMatchObject({ status: 0, stdout: '', stderr: 'Nothing has run yet.\n' });
    expect(await runs('train')).toEqual([]);
    expect(await project.dag(['log', 'nothing'])).toMatchObject({ status: 2 });
  });

  test('what ran, failed and was restored, newest first, and what set each apart', async () => {
    train(1);
    project.git('add', '.');
    project.git('commit', '-qm', 'first');
    await project.repro();
    train(2);
    await project.repro();
    train(3);
    expect(await project.repro()).toMatchObject({ status: 1, failed: ['train'] });
    train(1);
    expect(await project.repro()).toMatchObject({ restored: ['train'] });
    const [restored, failed, second, first, ...none] = await runs('train');
    expect(none).toEqual([]);
    expect(restored).toMatchObject({
      result: 'restored',
      from: first?.started_at,
      metrics: { 'm.json': { score: 8 } },
    });
    expect(restored?.changes).toMatchObject([{ changed: 'param', path: 'params.yaml:rate', before: 3, after: 1 }]);
    expect(failed).toMatchObject({ result: 'failed', exit_code: 1, metrics: {} });
    expect(second?.changes).toMatchObject([{ path: 'params.yaml:rate', how: 'modified', before: 1, after: 2 }]);
    expect(first).toMatchObject({
      result: 'ok',
      exit_code: 0,
      git_commit: project.git('rev-parse', 'HEAD').trim(),
      git_dirty: false,
      metrics: { 'm.json': { score: 8, 'by.x': 0.5 } },
      context: { node: expect.stringMatching(/^v/), dag: expect.any(String), platform: expect.any(String) },
    });
    expect(second?.git_dirty).toBe(true);
    if (process.platform === 'linux') expect(first?.cpu_user).toBeGreaterThanOrEqual(0);
    expect(await runs('-n', '2')).toHaveLength(2);
    const { stdout } = await project.dag(['log', 'train']);
    const times = stdout.replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, 'TIME');
    // What it took varies, and the width of the columns with it.
    expect(times.replaceAll(/(?<=^.*(RESULT|ok|failed \(1\))) .*$/gm, ' …')).toMatchInlineSnapshot(`
      "#  WHEN (UTC)           RESULT …
      1  TIME  restored
         from the run of TIME
         param params.yaml:rate modified (3 → 1)
         m.json: score 8, by.x 0.5
      2  TIME  failed (1) …
         param params.yaml:rate modified (2 → 3)
      3  TIME  ok …
         param params.yaml:rate modified (1 → 2)
         m.json: score 8, by.x 0.5
      4  TIME  ok …
         m.json: score 8, by.x 0.5
      "
    `);
  });

  test('a run that still works, and one whose dag was killed', async () => {
    project.write(
      'pipeline.yaml',
      `stages:\n  hold:\n    cmd: ${JSON.stringify(held.command('hold'))}\n    outs: [never]\n`,
    );
    const { child, ended } = project.start(['repro']);
    const command = await held.started('hold');
    expect(await runs()).toMatchObject([{ stage: 'hold', result: 'running' }]);
    child.kill('SIGKILL');
    await ended;
    process.kill(command.pid, 'SIGKILL');
    await command.gone;
    expect(await runs()).toMatchObject([{ stage: 'hold', result: 'killed' }]);
  });

  test('one on another machine works while its lock lives, and after that nobody knows', async () => {
    project.write(
      'pipeline.yaml',
      `stages:\n  hold:\n    cmd: ${JSON.stringify(held.command('hold'))}\n    outs: [never]\n`,
    );
    const { child, ended } = project.start(['repro']);
    const command = await held.started('hold');
    child.kill('SIGKILL');
    await ended;
    process.kill(command.pid, 'SIGKILL');
    await command.gone;
    // What it left, as if a machine far away had: its line in the journal, and its claim to the paths of the stage.
    const [claim] = fs.readdirSync(project.path('.cache/locks'));
    for (const file of [`.cache/locks/${claim}`, '.cache/journal/1.ndjson']) {
      const text = project.read(file).replaceAll(os.hostname(), 'far-away');
      project.write(file, text.replace(/"host":"[0-9a-f]{8}"/, '"host":"00000000"'));
    }
    fs.renameSync(
      project.path(`.cache/locks/${claim}`),
      project.path(`.cache/locks/${claim?.replace(/-[0-9a-f]{8}-/, '-00000000-')}`),
    );
    expect(await runs()).toMatchObject([{ stage: 'hold', result: 'running', host: 'far-away' }]);
    fs.rmSync(project.path('.cache/locks'), { recursive: true });
    expect(await runs()).toMatchObject([{ stage: 'hold', result: 'unknown' }]);
    expect((await project.dag(['log'])).stdout).toContain('it ran on far-away, which never said how it ended');
  });

  test('one that was interrupted', async () => {
    project.write(
      'pipeline.yaml',
      `stages:\n  hold:\n    cmd: ${JSON.stringify(held.command('hold'))}\n    outs: [never]\n`,
    );
    const { child, ended } = project.start(['repro']);
    await held.started('hold');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ status: 130 });
    expect(await runs('hold')).toMatchObject([{ result: 'cancelled' }]);
  });

  test('records stand in where the journal is gone; stages that are gone are known by their name', async () => {
    train(1);
    await project.repro();
    fs.rmSync(project.path('.cache/journal'), { recursive: true });
    expect(await runs('train')).toMatchObject([{ result: 'ok', metrics: { 'm.json': { score: 8 } } }]);
    project.write('pipeline.yaml', 'stages: {}\n');
    expect(await runs()).toMatchObject([{ stage: 'train', result: 'ok' }]);
  });

  test('many processes write one journal', async () => {
    const names = Array.from({ length: 8 }, (_, i) => `s${i}`);
    const stages = names.map(
      (name) => `  ${name}:\n    cmd: echo ${name} > ${name}.txt\n    outs: [${name}.txt]\n    params: [x]\n`,
    );
    project.write('pipeline.yaml', `stages:\n${stages.join('')}`);
    project.write('params.yaml', 'x: 1\n');
    await Promise.all(names.map((name) => project.dag(['repro', '-q', name])));
    const all = await runs();
    expect(all.map(({ stage }) => stage).sort()).toEqual(names);
    expect(all.every(({ result }) => result === 'ok')).toBe(true);
  });
});

describe('what a run printed', () => {
  test('of the newest, of one before, of a failed and a restored one', async () => {
    train(1);
    await project.repro();
    train(2);
    await project.repro();
    train(3);
    await project.repro();
    train(1);
    await project.repro();
    const output = async (...args: string[]) => (await project.dag(['log', 'train', '--output', ...args])).stdout;
    expect(await output()).toBe('rate rate: 1\n');
    expect(await output('2')).toBe('rate rate: 3\n');
    expect(await output('4')).toBe('rate rate: 1\n');
    expect(await project.dag(['log', 'train', '--output', '5'])).toMatchObject({
      status: 2,
      stderr: "error: there is no run 5 of stage 'train': there are 4\n",
    });
    expect(await project.dag(['log', '--output'])).toMatchObject({ status: 2 });
    fs.rmSync(project.path('.cache/logs/train'), { recursive: true });
    const gone = await project.dag(['log', 'train', '--output']);
    expect(gone.status).toBe(1);
    expect(gone.stderr).toContain("what that run of stage 'train' printed is not here: it ran on ");
  });

  test('a gigabyte, in little memory, and all of it is kept', async () => {
    const line = `'${'x'.repeat(9_999)}'`;
    project.write(
      'pipeline.yaml',
      `stages:\n  big:\n    cmd: ${JSON.stringify(`yes ${line} | head -c 1000000000; ${held.command('end')}`)}\n    outs: [never]\n`,
    );
    const { child, ended } = project.start(['repro', '-q']);
    const command = await held.started('end');
    const [log] = (await runs('big')).flatMap(({ logs }) => logs);
    expect(log).toBeUndefined();
    const status = process.platform === 'linux' ? fs.readFileSync(`/proc/${child.pid}/status`, 'utf8') : '';
    command.release(1);
    expect(await ended).toMatchObject({ status: 1 });
    const [file] = (await runs('big'))[0]?.logs ?? [];
    expect(fs.statSync(file ?? '').size).toBe(1e9);
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
    expect(peak).toBeLessThan(300e6);
  });
});

test('gc takes the output of old runs with their records, and what no record names when it is old', async () => {
  train(1);
  await project.repro();
  train(3);
  await project.repro();
  const folder = project.path('.cache/logs/train');
  const [first, failed] = fs.readdirSync(folder).sort();
  expect(await project.dag(['gc', '-w', '-f'])).toMatchObject({ status: 0 });
  expect(fs.readdirSync(folder)).toHaveLength(2);
  const old = new Date(Date.now() - 40 * 24 * 3600 * 1000);
  for (const name of [first, failed]) fs.utimesSync(path.join(folder, name ?? ''), old, old);
  const dry = await project.dag(['gc', '-w', '--dry']);
  expect(dry.stdout).toContain('0 objects and 1 log would be removed, 13 B;');
  expect(await project.dag(['gc', '-w', '-f'])).toMatchObject({ status: 0 });
  // The record of the first run stays, for what it names stays anyway: so does what the run printed.
  expect(fs.readdirSync(folder)).toEqual([first]);
  expect((await project.dag(['gc', '-w', '-f', '--runs'])).stdout).toContain('1 run record and 1 log removed');
  expect(fs.readdirSync(folder)).toEqual([]);
});
