import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseMetricLine } from '../../packages/model/src/index.ts';
import { programNvidiaSmi } from '../rigs/nvidia-smi.ts';
import { heldPerTest, projectPerTest } from '../rigs/per-test.ts';

const project = projectPerTest();
const held = heldPerTest();

/** A project with one stage `train`, a module whose default export has this body; more of its definition behind. */
function worker(body: string, more = ''): void {
  project.write('train.ts', `import fs from 'node:fs';\nexport default async (ctx) => { ${body} };\n`);
  project.write(
    'pipeline.yaml',
    `stages:\n  train:\n    worker: train.ts\n    outs: [{out.txt: {cache: false}}]\n${more}`,
  );
}

function command(cmd: string, more = ''): void {
  project.write('pipeline.yaml', `stages:\n  train:\n    cmd: ${JSON.stringify(cmd)}\n${more}`);
}

interface Point {
  readonly value: number | string;
  readonly step?: number;
}

interface Live {
  readonly result: string;
  readonly file: string;
  readonly metrics: Readonly<Record<string, { count: number; last: Point; min: Point; max: Point; best?: Point }>>;
  readonly system: Readonly<Record<string, { count: number; last: Point; max: Point }>>;
}

async function live(): Promise<Live> {
  const { stdout } = await project.dag(['metrics', 'show', '--live', '--json']);
  return (JSON.parse(stdout) as { train: Live }).train;
}

const done = `fs.writeFileSync(ctx.out('out.txt'), '1');`;
const finished = (events: readonly Record<string, unknown>[]) => events.find(({ event }) => event === 'finished');

describe('what a stage reports', () => {
  test('a million metrics of one that its parent does not read meanwhile: none is lost, and none piles up', async () => {
    // The parent is stopped before the first and goes on after the last.
    worker(`process.kill(process.ppid, 'SIGSTOP');
      for (let i = 0; i < 1_000_000; i++) ctx.metric('loss', 1 / (i + 1), i);
      const { maxRSS } = process.resourceUsage();
      process.kill(process.ppid, 'SIGCONT');
      fs.writeFileSync(ctx.out('out.txt'), String(maxRSS));`);
    const { status, events } = await project.repro();
    expect(status).toBe(0);
    expect(Number(project.read('out.txt'))).toBeLessThan(250_000);
    const { file, metrics } = await live();
    expect(metrics['loss']).toMatchObject({ count: 1_000_000, last: { step: 999_999 }, max: { value: 1, step: 0 } });
    const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.length).toBe(1_000_000);
    for (const at of [0, 1, 499_999, 999_999]) expect(parseMetricLine(String(lines[at]))).toMatchObject({ step: at });
    expect(events.filter(({ event }) => event === 'metric').length).toBeLessThan(100_000);
  });

  test('a command reports with lines in a file, in any language', async () => {
    command(`for i in 1 2 3; do echo '{"name": "loss", "value": '$i'.5, "step": '$i'}' >> "$DAG_METRICS"; done`);
    const { events } = await project.repro();
    expect(events.filter(({ event }) => event === 'metric')).toMatchObject([
      { stage: 'train', name: 'loss', value: 1.5, step: 1 },
      { value: 2.5, step: 2 },
      { value: 3.5, step: 3 },
    ]);
    expect((await project.dag(['metrics', 'show', '--live'])).stdout).toBe(
      [
        'STAGE  METRIC  VALUES  LAST          MIN           MAX           BEST',
        'train  loss    3       3.5 (step 3)  1.5 (step 1)  3.5 (step 3)  1.5 (step 1)',
        '',
      ].join('\n'),
    );
    const [run] = JSON.parse((await project.dag(['log', '--json'])).stdout) as [Record<string, unknown>];
    expect(run).toMatchObject({ last_metrics: { loss: 3.5 } });
    expect((await project.dag(['log'])).stdout).toContain('last: loss 3.5');
  });

  test('is followed while it runs, until it ends', async () => {
    command(`echo '{"name":"loss","value":1,"step":1}' >> "$DAG_METRICS"; ${held.command('train')};
      echo '{"name":"loss","value":NaN,"step":2}' >> "$DAG_METRICS"`);
    const repro = project.start(['repro']);
    const stage = await held.started('train');
    const follower = project.start(['metrics', 'show', '--follow', '--json', 'train']);
    await new Promise<void>((resolve) => {
      follower.child.stdout?.on('data', (chunk) => String(chunk).includes('"metric"') && resolve());
    });
    stage.release();
    expect((await repro.ended).status).toBe(0);
    const { status, events } = await follower.ended;
    expect(status).toBe(0);
    expect(events.map(({ event }) => event)).toEqual(['metric', 'metric', 'summary']);
    expect(events.at(-1)).toMatchObject({
      stages: { train: { result: 'ok', metrics: { loss: { count: 2, last: { value: 'NaN', step: 2 } } } } },
    });
  });

  test('is followed until Ctrl-C, which says nothing of the stage and leaves it alone', async () => {
    command(`echo '{"name":"loss","value":1,"step":1}' >> "$DAG_METRICS"; ${held.command('train')}`);
    const repro = project.start(['repro']);
    const stage = await held.started('train');
    const follower = project.start(['metrics', 'show', '--follow']);
    await new Promise<void>((resolve) => {
      follower.child.stdout?.on('data', (chunk) => String(chunk).includes('loss 1') && resolve());
    });
    follower.child.kill('SIGINT');
    const { status, stdout, stderr } = await follower.ended;
    expect({ status, stderr }).toEqual({ status: 130, stderr: '' });
    expect(stdout).toContain('train  loss');
    stage.release();
    expect((await repro.ended).status).toBe(0);
  });

  test('nothing leaves a file behind where nothing was reported; gc takes the files with the log', async () => {
    project.write('dep', '');
    project.write('pipeline.yaml', 'stages:\n  train: {cmd: echo 1 > out.txt, deps: [dep], outs: [out.txt]}\n');
    await project.repro();
    expect(fs.readdirSync(project.path('.cache/logs/train')).filter((name) => !name.endsWith('.log'))).toEqual([]);
    worker(`ctx.metric('loss', 1); ctx.image('seen', { width: 1, height: 1, channels: 1, pixels: [7] }); ${done}`);
    project.write(
      'pipeline.yaml',
      project
        .read('pipeline.yaml')
        .replace('{out.txt: {cache: false}}', 'out.txt')
        .replace('outs:', 'deps: [dep]\n    outs:'),
    );
    await project.repro();
    const names = fs.readdirSync(project.path('.cache/logs/train')).map((name) => name.replace(/^[^.]*\./, ''));
    expect(names.sort()).toEqual(['images', 'log', 'log', 'metrics.ndjson']);
    expect((await project.dag(['gc', '-w', '--runs', '-f'])).status).toBe(0);
    expect(fs.readdirSync(project.path('.cache/logs/train'))).toEqual([]);
  });
});

describe('a worker that crashes', () => {
  test.each(['SIGKILL', 'SIGABRT', 'SIGSEGV'])('by %s keeps its last metrics and its last words', async (signal) => {
    worker(`for (let i = 0; i <= 100; i++) { ctx.metric('loss', i, i); ctx.log('step ' + i); }
      process.kill(process.pid, '${signal}'); for (;;);`);
    const { status, events } = await project.repro();
    expect(status).toBe(1);
    expect(finished(events)).toMatchObject({
      status: 'failed',
      last_metrics: { loss: 100 },
      last_output: Array.from({ length: 10 }, (_, i) => `step ${91 + i}`),
    });
    expect((await live()).metrics['loss']).toMatchObject({ count: 101, last: { value: 100, step: 100 } });
    const quiet = await project.dag(['repro', '-q']);
    expect(quiet.stderr).toContain('it printed last:\n    step 91\n');
    expect(quiet.stderr).toContain('last metrics: loss 100');
    expect((await project.dag(['log', 'train', '--output'])).stdout).toContain('step 100\n');
  });

  test("by a full heap keeps its own last words, which V8's addresses don't drive out", async () => {
    const fill = `console.log('step 1'); for (const all = []; ; ) all.push(new Array(1e5).fill(all.length + 0.5));`;
    project.write('fill.mjs', fill);
    project.write('pipeline.yaml', 'stages:\n  fill: {cmd: node --max-old-space-size=32 fill.mjs, deps: [fill.mjs]}\n');
    const { events } = await project.repro();
    expect(finished(events)).toMatchObject({
      last_output: ['step 1', '', expect.stringMatching(/^FATAL ERROR: .*heap out of memory$/)],
    });
    expect((await project.dag(['log', 'fill', '--output'])).stdout).toContain('Native stack trace');
  });
});

describe('a stage that makes no progress', () => {
  test.each([
    ['it is stopped', `process.kill(process.pid, 'SIGSTOP'); await new Promise(() => {});`],
    ['it waits in its event loop', `setInterval(() => {}, 100); await new Promise(() => {});`],
    ['it waits in a call', `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`],
  ])('has failed, and is tried again: %s', async (_, hang) => {
    worker(
      `if (!fs.existsSync('tried')) { fs.writeFileSync('tried', ''); ${hang} } ${done}`,
      '    stall: 2s\n    retries: 1\n    checkpoints: {grace: 1s}\n',
    );
    const { status, events } = await project.repro();
    expect(status).toBe(0);
    expect(events.filter(({ event }) => event === 'started')).toHaveLength(2);
    const warnings = events.filter(({ event }) => event === 'warning').map(({ message }) => String(message));
    expect(warnings.at(-1)).toContain(
      "stage 'train' made no progress for 2 s (stall): no output, no metric and no CPU time",
    );
  });

  test('a command too, with all that it started', async () => {
    command('sleep 1000 & wait', '    stall: 1s\n');
    const { status, events } = await project.repro();
    expect(status).toBe(1);
    expect(finished(events)).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('made no progress for 1 s'),
    });
  });

  test('one that holds its event loop, and computes, is told of and left alone', async () => {
    // It computes until it has been told of, which the parent writes into its log of events.
    worker(`ctx.metric('loss', 0.5, 3); while (!fs.existsSync('noted')); ${done}`, '    stall: 4s\n');
    const { child, ended } = project.start(['repro', '--json']);
    child.stdout?.on('data', (chunk) => {
      if (String(chunk).includes('its event loop is busy')) project.write('noted', '');
    });
    const { status, stdout } = await ended;
    expect(stdout).toMatch(
      /stage 'train' has said nothing for \d.*: its event loop is busy .*; last, .* ago: metric loss 0.5 step 3/,
    );
    expect(status).toBe(0);
  });
});

test('what a stage and its devices use is sampled beside, and the devices’ peaks are recorded', async () => {
  const { PATH } = programNvidiaSmi(
    path.join(project.home, 'bin'),
    `case "$*" in
      *loop-ms*) while :; do echo 'GPU-a, 93, 1024, 61, 250.5'; echo 'GPU-b, [N/A], 7, 40, 90'; sleep 0.1; done;;
      *) echo '0, GPU-a, Example 80GB, 81920, 3, 550.54.15, Default, Disabled';;
    esac`,
  );
  command(held.command('train'), '    resources: {gpu: 1}\n');
  const repro = project.start(['repro'], { env: { PATH, DAG_LEASES: path.join(project.home, 'leases') } });
  const stage = await held.started('train');
  await expect.poll(async () => Object.keys((await live()).system)).toContain('system/rss');
  stage.release();
  expect((await repro.ended).status).toBe(0);
  const { system } = await live();
  expect(system['system/gpu0/use']?.max.value).toBe(0.93);
  expect(system['system/gpu0/memory']?.last.value).toBe(1024 ** 3);
  expect(system['system/gpu0/temperature']?.last.value).toBe(61);
  expect(Object.keys(system).filter((name) => name.includes('gpu1'))).toEqual([]);
  expect(Number(system['system/rss']?.last.value)).toBeGreaterThan(1_000_000);
  const [run] = JSON.parse((await project.dag(['log', '--json'])).stdout) as [Record<string, unknown>];
  expect(run).toMatchObject({ gpu_use: 0.93, gpu_memory: 1024 ** 3, gpu_temperature: 61 });
});
