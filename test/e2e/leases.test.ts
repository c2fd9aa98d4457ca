import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memoryLimit } from '../../packages/engine/src/machine.ts';
import { type Held, type HeldCommand, holdCommands } from '../rigs/held.ts';
import { fakeNvidiaSmi, programNvidiaSmi } from '../rigs/nvidia-smi.ts';
import { makeProject, type RunOptions, type TestProject } from '../rigs/project.ts';

let one: TestProject;
let two: TestProject;
let held: Held;
let host: RunOptions;

beforeEach(async () => {
  [one, two] = [makeProject(), makeProject()];
  held = await holdCommands();
  const { PATH } = fakeNvidiaSmi(path.join(one.home, 'bin'), ['GPU-a', 'GPU-b']);
  host = { env: { PATH, DAG_LEASES: leases() } };
});

afterEach(async () => {
  await held.close();
  for (const project of [one, two]) project.remove();
});

function leases(): string {
  return path.join(one.home, 'leases');
}

/** A stage that says which devices it sees, and then waits to be told to end. */
function stage(name: string, gpu: number): string {
  const command = `echo $CUDA_VISIBLE_DEVICES > ${name}.txt; ${held.command(name)}`;
  return `  ${name}: {cmd: ${JSON.stringify(command)}, outs: [${name}.txt], resources: {gpu: ${gpu}}}\n`;
}

function seen(project: TestProject, name: string): string[] {
  return project.read(`${name}.txt`).trim().split(',');
}

test('ten stages of two projects on two devices never share one', async () => {
  const names = [one, two].map((_, at) => Array.from({ length: 5 }, (_, index) => `${'ab'[at]}${index}`));
  for (const [at, project] of [one, two].entries()) {
    project.write('pipeline.yaml', `stages:\n${names[at]?.map((name) => stage(name, 1)).join('')}`);
  }
  const runs = [one, two].map((project) => project.start(['repro', '-j', '5', '--json'], host));
  const running = new Map<string, HeldCommand>();
  let order = 0;
  for (let done = 0; done < 10; done++) {
    const busy = Math.min(2, 10 - done);
    await expect.poll(() => held.order.length).toBe(Math.min(10, done + busy));
    for (const name of held.order.slice(order)) running.set(name, await held.started(name));
    order = held.order.length;
    expect(held.running()).toHaveLength(busy);
    const devices = [...running.keys()].flatMap((name) => seen(name.startsWith('a') ? one : two, name));
    expect(new Set(devices).size).toBe(busy);
    const [name, command] = [...running][0] as [string, HeldCommand];
    running.delete(name);
    command.release();
    await command.gone;
  }
  for (const run of runs) expect((await run.ended).status).toBe(0);
  expect(fs.readdirSync(leases())).toEqual([]);
});

test('a stage that wants both waits for both, and says who holds them; --no-wait does not', async () => {
  one.write('pipeline.yaml', `stages:\n${stage('train', 1)}`);
  two.write('pipeline.yaml', `stages:\n${stage('both', 2)}`);
  const first = one.start(['repro', '--json'], host);
  const train = await held.started('train');
  const refused = await two.repro(['--no-wait'], host);
  expect([refused.status, refused.failed]).toEqual([3, ['both']]);
  const second = two.start(['repro', '--json'], host);
  const told: string[] = [];
  second.child.stdout?.on('data', (text) => told.push(String(text)));
  const message = `waiting for GPU GPU-a, held by dag repro of ${one.root}, stage 'train' (pid ${first.child.pid} on `;
  await expect.poll(() => told.join('')).toContain(message);
  const { stdout } = await two.dag(['doctor'], host);
  expect(stdout).toContain('0 GPU-a Example 80GB; 86 GB, 3.1 MB in use; driver 550.54.15; held by dag repro of');
  expect(stdout).toContain('1 GPU-b Example 80GB; 86 GB, 3.1 MB in use; driver 550.54.15; free');
  train.release();
  (await held.started('both')).release();
  expect((await second.ended).status).toBe(0);
  expect(seen(two, 'both').sort()).toEqual(['GPU-a', 'GPU-b']);
  expect((await first.ended).status).toBe(0);
});

test('a killed dag frees its device: what it left running is ended first', async () => {
  one.write('pipeline.yaml', `stages:\n${stage('train', 2)}`);
  two.write('pipeline.yaml', `stages:\n${stage('next', 2)}`);
  const first = one.start(['repro'], host);
  const left = await held.started('train');
  first.child.kill('SIGKILL');
  await first.ended;
  const second = two.start(['repro', '--json'], host);
  (await held.started('next')).release();
  await left.gone;
  const { status, events } = await second.ended;
  expect(status).toBe(0);
  expect(events.find((event) => event['event'] === 'warning')?.['message']).toBe(
    `ended what a killed dag had left running on GPUs GPU-a and GPU-b: dag repro of ${one.root}, stage 'train'`,
  );
});

test('a device is free again after a failure and after an interrupt', async () => {
  one.write('pipeline.yaml', `stages:\n${stage('fails', 1)}`);
  const first = one.start(['repro'], host);
  (await held.started('fails')).release(3);
  expect((await first.ended).status).toBe(1);
  const second = one.start(['repro'], host);
  await held.started('fails');
  second.child.kill('SIGINT');
  expect((await second.ended).status).toBe(130);
  expect(fs.readdirSync(leases())).toEqual([]);
});

test('a dag inside a stage divides the devices of that stage', async () => {
  two.write('pipeline.yaml', `stages:\n${stage('left', 1)}${stage('right', 1)}`);
  const nested = `cd ${two.root} && env -u DAG_ROOT ${process.execPath} ${dagProgram()} repro -q -j 2`;
  one.write('pipeline.yaml', `stages:\n  outer: {cmd: ${JSON.stringify(nested)}, resources: {gpu: 2}}\n`);
  const run = one.start(['repro'], host);
  const [left, right] = await Promise.all([held.started('left'), held.started('right')]);
  expect([...seen(two, 'left'), ...seen(two, 'right')].sort()).toEqual(['GPU-a', 'GPU-b']);
  left.release();
  right.release();
  expect((await run.ended).status).toBe(0);
});

test('what a stage sees of its device, and what its record says', async () => {
  const variables = 'env | grep -E "^(CUDA|NVIDIA|DAG_GPU)" | sed "s/lease-.*/LEASE/" | sort';
  one.write('params.yaml', 'a: 1\n');
  one.write(
    'pipeline.yaml',
    `stages:
  one: {cmd: '${variables} > one.txt', params: [a], outs: [one.txt], strict_env: true, resources: {gpu: 1}}
  none: {cmd: '${variables} > none.txt', outs: [none.txt], resources: {gpu: 0}}
  silent: {cmd: '${variables} > silent.txt || true', outs: [silent.txt]}
`,
  );
  const given = { env: { ...host.env, CUDA_VISIBLE_DEVICES: '1' } };
  expect((await one.repro([], given)).ran).toEqual(['one', 'none', 'silent']);
  expect(one.read('one.txt').split('\n')).toEqual([
    'CUDA_DEVICE_ORDER=PCI_BUS_ID',
    'CUDA_VISIBLE_DEVICES=GPU-b',
    'DAG_GPUS=GPU-b',
    'DAG_GPU_LEASE=LEASE',
    'NVIDIA_VISIBLE_DEVICES=GPU-b',
    '',
  ]);
  expect(one.read('none.txt')).toBe('CUDA_VISIBLE_DEVICES=\nDAG_GPUS=none\nNVIDIA_VISIBLE_DEVICES=none\n');
  expect(one.read('silent.txt')).toBe('CUDA_VISIBLE_DEVICES=1\n');
  expect(recordOf(one, 'one')).toMatchObject({ gpus: 'Example 80GB (GPU-b)', gpuDriver: '550.54.15' });
  expect((await one.repro([], host)).skipped).toEqual(['one', 'none', 'silent']);
});

/** A stage that wants a part of a device, and waits to be told to end. */
function partStage(name: string, resources: string): string {
  const command = `env | grep -E "^(CUDA_V|DAG_GPU_M|TF_|XLA)" | sort > ${name}.txt; ${held.command(name)}`;
  return `  ${name}: {cmd: ${JSON.stringify(command)}, deps: [in], outs: [${name}.txt], resources: {${resources}}}\n`;
}

test('stages of two projects share a device whose memory is enough for both; one that wants it whole waits', async () => {
  host = { env: { ...host.env, DAG_GPUS: '0' } };
  for (const project of [one, two]) project.write('in', '');
  one.write('pipeline.yaml', `stages:\n${partStage('a', 'gpu_memory: 50GB')}${partStage('b', 'gpu_memory: 10GB')}`);
  two.write('pipeline.yaml', `stages:\n${partStage('c', 'gpu: 1, gpu_memory: 20GB')}${stage('whole', 1)}`);
  const first = one.start(['repro', '-j', '2'], host);
  const running = await Promise.all([held.started('a'), held.started('b')]);
  const second = two.start(['repro', 'c'], host);
  running.push(await held.started('c'));
  expect(one.read('a.txt').split('\n')).toEqual([
    'CUDA_VISIBLE_DEVICES=GPU-a',
    'DAG_GPU_MEMORY=50000000000',
    'TF_FORCE_GPU_ALLOW_GROWTH=true',
    'XLA_PYTHON_CLIENT_PREALLOCATE=false',
    '',
  ]);
  const { stdout } = await two.dag(['doctor'], host);
  expect(stdout).toMatch(
    /GPU-a Example 80GB;.* 50 GB held by dag repro of .*, stage 'a' .* 20 GB held by dag repro of/,
  );
  expect((await two.repro(['whole', '--no-wait'], host)).status).toBe(3);
  const third = two.start(['repro', 'whole'], host);
  for (const command of running) command.release();
  (await held.started('whole')).release();
  for (const run of [first, second, third]) expect((await run.ended).status).toBe(0);
  expect(recordOf(one, 'a')).toMatchObject({ gpus: 'Example 80GB (GPU-a)', gpuMemory: 'shared, 50 GB of each' });
  expect(recordOf(two, 'whole')['gpuMemory']).toBeUndefined();
  expect(fs.readdirSync(leases())).toEqual([]);
});

test('what a killed dag left at work keeps its part until somebody needs it, and is ended then', async () => {
  host = { env: { ...host.env, DAG_GPUS: '0' } };
  for (const project of [one, two]) project.write('in', '');
  one.write('pipeline.yaml', `stages:\n${partStage('left', 'gpu_memory: 50GB')}`);
  two.write(
    'pipeline.yaml',
    `stages:\n${partStage('small', 'gpu_memory: 30GB')}${partStage('large', 'gpu_memory: 60GB')}`,
  );
  const first = one.start(['repro'], host);
  const left = await held.started('left');
  first.child.kill('SIGKILL');
  await first.ended;
  const second = two.start(['repro', 'small'], host);
  (await held.started('small')).release();
  expect((await second.ended).status).toBe(0);
  expect(held.running()).toEqual(['left']);
  const third = two.start(['repro', 'large', '--json'], host);
  (await held.started('large')).release();
  await left.gone;
  const { status, stdout } = await third.ended;
  expect([status, stdout]).toEqual([
    0,
    expect.stringContaining('ended what a killed dag had left running on GPU GPU-a'),
  ]);
  expect(fs.readdirSync(leases())).toEqual([]);
});

test('what others use is not shared out, and a stage may say itself how its memory is taken', async () => {
  const smi = programNvidiaSmi(
    path.join(one.home, 'busy'),
    `echo '0, GPU-a, Example, 81920, 60000, 1, Default, Disabled'`,
  );
  const busy = { env: { ...host.env, ...smi } };
  one.write(
    'pipeline.yaml',
    `stages:
  large: {cmd: 'true', resources: {gpu_memory: 40GB}}
  small: {cmd: 'echo $TF_FORCE_GPU_ALLOW_GROWTH > s', outs: [s], env: [TF_FORCE_GPU_ALLOW_GROWTH=false], resources: {gpu_memory: 20GB}}
  never: {cmd: 'true', resources: {gpu_memory: 90GB}}
`,
  );
  const large = await one.dag(['repro', 'large', '--no-wait'], busy);
  expect([large.status, large.stderr]).toEqual([
    3,
    expect.stringContaining('GPU GPU-a: programs that leased nothing use too much of the memory'),
  ]);
  expect((await one.repro(['small', '--no-wait'], busy)).ran).toEqual(['small']);
  expect(one.read('s')).toBe('false\n');
  expect((await one.dag(['repro', 'never'], busy)).stderr).toContain(
    "stage 'never' (pipeline.yaml:4) wants 1 GPU with 90 GB of memory, and there is 1 (GPU-a with 85.9 GB)\n",
  );
});

test('a dag inside a stage divides the part of that stage', async () => {
  two.write('in', '');
  two.write(
    'pipeline.yaml',
    `stages:\n${partStage('left', 'gpu_memory: 6GB')}${partStage('right', 'gpu_memory: 4GB')}`,
  );
  const nested = `cd ${two.root} && env -u DAG_ROOT ${process.execPath} ${dagProgram()} repro -q -j 2`;
  one.write('pipeline.yaml', `stages:\n  outer: {cmd: ${JSON.stringify(nested)}, resources: {gpu_memory: 10GB}}\n`);
  const run = one.start(['repro'], host);
  for (const inner of await Promise.all([held.started('left'), held.started('right')])) inner.release();
  expect((await run.ended).status).toBe(0);
  two.write('pipeline.yaml', `stages:\n${partStage('large', 'gpu_memory: 11GB')}`);
  const { status, stderr } = await one.dag(['repro', '-f'], host);
  expect([status, stderr]).toEqual([
    1,
    expect.stringContaining('with 11 GB of memory, and there is 1 (GPU-a with 10 GB)'),
  ]);
});

test('where there are too few, nothing runs', async () => {
  one.write(
    'pipeline.yaml',
    `stages:
  prepare: {cmd: echo p > p, outs: [p]}
  train: {cmd: echo t > t, deps: [p], outs: [t], resources: {gpu: 3}}
`,
  );
  const few = await one.repro([], host);
  expect([few.status, few.ran, few.failed, few.cancelled]).toEqual([3, [], ['train'], ['prepare']]);
  expect(one.exists('p')).toBe(false);
  const { stderr } = await one.dag(['repro'], host);
  expect(stderr).toContain("stage 'train' (pipeline.yaml:3) wants 3 GPUs, and there are 2 (GPU-a, GPU-b)\n");
  const others = await one.repro(['-k'], host);
  expect([others.status, others.ran, others.failed]).toEqual([3, ['prepare'], ['train']]);
});

test('no device is needed to skip or restore, and nobody is asked', async () => {
  one.write('a', '1');
  one.write('pipeline.yaml', 'stages:\n  train: {cmd: cp a m, deps: [a], outs: [m], resources: {gpu: 1}}\n');
  expect((await one.repro([], host)).ran).toEqual(['train']);
  const asked = path.join(one.home, 'asked');
  const broken = { env: programNvidiaSmi(path.join(one.home, 'broken'), `touch ${asked}; echo no driver; exit 9`) };
  expect((await one.repro([], broken)).skipped).toEqual(['train']);
  fs.rmSync(one.path('m'));
  expect((await one.repro([], broken)).restored).toEqual(['train']);
  expect(fs.existsSync(asked)).toBe(false);
  const forced = await one.dag(['repro', '-f'], broken);
  expect(forced.status).toBe(3);
  expect(forced.stderr).toContain('there are none: nvidia-smi failed with exit status 9: no driver');
});

test('a stage further down that may not have to run is warned of', async () => {
  one.write('a', '1\n');
  const prepare = (text: string) =>
    `stages:
  prepare: {cmd: '${text} a > p', deps: [a], outs: [p]}
  train: {cmd: echo t > t, deps: [p], outs: [t], resources: {gpu: 1}}
`;
  one.write('pipeline.yaml', prepare('cat'));
  expect((await one.repro([], host)).ran).toEqual(['prepare', 'train']);
  one.write('pipeline.yaml', prepare('head -n 1'));
  const same = await one.repro([], { env: { ...host.env, DAG_GPUS: 'none' } });
  expect([same.status, same.ran, same.skipped]).toEqual([0, ['prepare'], ['train']]);
  expect(same.events.find((event) => event['event'] === 'warning')).toMatchObject({ stage: 'train' });
});

test('stages of two processes that share a mutex never run at once', async () => {
  const file = ['a', 'b'].map((name) => `  ${name}: {cmd: ${JSON.stringify(held.command(name))}, mutex: [db]}\n`);
  one.write('pipeline.yaml', `stages:\n${file.join('')}`);
  const first = one.start(['repro', 'a']);
  const a = await held.started('a');
  const refused = await one.repro(['b', '--no-wait']);
  expect(refused.status).toBe(3);
  expect(JSON.stringify(refused.events)).toContain("mutex 'db' is in use by process");
  const second = one.start(['repro', 'b', '--json']);
  const told: string[] = [];
  second.child.stdout?.on('data', (text) => told.push(String(text)));
  await expect.poll(() => told.join('')).toContain('"event":"waiting"');
  expect(held.running()).toEqual(['a']);
  a.release();
  (await held.started('b')).release();
  expect([(await first.ended).status, (await second.ended).status]).toEqual([0, 0]);
});

/** What earlier runs are said to have taken: lines of stage, seconds and bytes, as the project keeps them. */
function remember(project: TestProject, runs: readonly (readonly [string, number, number])[]): void {
  project.write('.cache/logs/durations.ndjson', runs.map((run) => `${JSON.stringify(run)}\n`).join(''));
}

test('of the ready stages the one with the longest way to go starts first; one by one they go as written', async () => {
  const line = (name: string, deps: string) =>
    `  ${name}: {cmd: ${JSON.stringify(`${held.command(name)} && echo > ${name}.txt`)}, deps: [${deps}], outs: [${name}.txt]}\n`;
  one.write('in', '');
  one.write(
    'pipeline.yaml',
    `stages:\n${line('short', 'in')}${line('long', 'in')}${line('first', 'in')}${line('then', 'first.txt')}`,
  );
  remember(one, [
    ['short', 5, 0],
    ['long', 60, 0],
    ['first', 20, 0],
    ['then', 90, 0],
  ]);
  const run = one.start(['repro', '-j', '2'], host);
  const [first, long] = await Promise.all([held.started('first'), held.started('long')]);
  expect(held.order.toSorted()).toEqual(['first', 'long']);
  first.release();
  const then = await held.started('then');
  expect(held.order).not.toContain('short');
  long.release();
  (await held.started('short')).release();
  then.release();
  expect((await run.ended).status).toBe(0);

  const again = one.start(['repro', '-f', '-j', '1'], host);
  for (const name of ['short', 'long', 'first', 'then']) (await held.started(name)).release();
  expect((await again.ended).status).toBe(0);
  expect(held.order.slice(4)).toEqual(['short', 'long', 'first', 'then']);
});

test('two stages that used most of the memory do not run at once', async () => {
  const line = (name: string) => `  ${name}: {cmd: ${JSON.stringify(held.command(name))}}\n`;
  one.write('pipeline.yaml', `stages:\n${line('big')}${line('large')}${line('small')}`);
  const most = Math.round(memoryLimit() * 0.7);
  remember(one, [
    ['big', 1, most],
    ['large', 1, most],
    ['small', 1, 1000],
  ]);
  const run = one.start(['repro', '-j', '3'], host);
  const [big, small] = await Promise.all([held.started('big'), held.started('small')]);
  small.release();
  await small.gone;
  expect(held.order.toSorted()).toEqual(['big', 'small']);
  big.release();
  (await held.started('large')).release();
  expect((await run.ended).status).toBe(0);
});

/** What the run record of a stage says of its surroundings. */
function recordOf(project: TestProject, name: string): Record<string, unknown> {
  const runs = fs.readdirSync(project.path('.cache/runs'), { recursive: true, encoding: 'utf8' });
  const records = runs
    .filter((file) => file.endsWith('.json'))
    .map(
      (file) => JSON.parse(project.read(`.cache/runs/${file}`)) as { context: Record<string, unknown>; stage: string },
    );
  return records.find(({ stage }) => stage === name)?.context ?? {};
}

function dagProgram(): string {
  return path.join(import.meta.dirname, '../../packages/cli/dist/dag.js');
}
