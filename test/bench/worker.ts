import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { PIXELS, SIDE, writeDigits } from '../../packages/digits/src/data.ts';
import { missingTfjsNode, tfjsNode } from '../rigs/tensorflow.ts';
import { dag, must } from './bench.ts';
import { median } from './measure.ts';
import { renderSection } from './report.ts';
import type { Input, Result } from './training/train.ts';
import { makeWorkFolder, type WorkFolder, writeText } from './work-folder.ts';

const ABOUT = `A training (the network of \`packages/digits\`, batches of 32) as a worker stage, by \`dag repro\`, and as the same code run by
\`node\` alone, with the same backend set up the same way. Both in turn; medians. CPU is what the processes used, on all
cores; \`node -e 0\`, which takes 0.03 s of it on a quiet machine, tells how far other work stretches that. Then what the
helpers of \`dag/worker\` deliver when nothing is trained, what is trained from it, and the share of its time that the training
waits for input.`;

/** Steps of a training, so that it takes some ten seconds. */
const STEPS = { wasm: 700, node: 800 } as const;
type Backend = keyof typeof STEPS;
const INPUTS: readonly Input[] = ['arrays', 'array files', 'PNGs', 'CSV', 'CSV stream'];
const ROUNDS = 3;
/** Digits in the data: as many of each class. */
const COUNT = 2000;

const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** The section on workers, without its heading. */
export async function run(): Promise<string> {
  const work = makeWorkFolder();
  const missing = missingTfjsNode();
  const backends: Backend[] = missing === undefined ? ['wasm', 'node'] : ['wasm'];
  try {
    const loads: number[] = [];
    const overhead: string[] = [];
    const feeding: string[] = [];
    const idle: Used[] = [];
    for (let i = 0; i < ROUNDS; i++) idle.push(await measured([process.execPath, '-e', '0'], work.at('.'), work.env));
    for (const backend of backends) {
      const project = await makeProject(work, backend);
      overhead.push(await overheadRow(work, project, backend, loads));
      for (const input of INPUTS) feeding.push(await feedRow(work, project, backend, input));
    }
    const first = table(['', 'dag', 'node', 'overhead', 'CPU: dag', 'node', 'overhead'], overhead);
    const second = table(['', 'delivered', 'trained', 'waited'], feeding);
    const native = missing === undefined ? '' : `\nNot measured: ${missing}.\n`;
    const load = `\nThe machine's load average was ${Math.min(...loads).toFixed(1)} to ${Math.max(...loads).toFixed(1)}; \`node -e 0\` used ${median(idle.map(({ cpu }) => cpu)).toFixed(2)} s of CPU.`;
    return renderSection('worker', ABOUT, [], `${first}\n${second}${native}${load}`).replace(/^## .*\n\n/, '');
  } finally {
    work.remove();
  }
}

/** A project with the data in all forms, the module as a stage, and the same as a script. */
async function makeProject(work: WorkFolder, backend: Backend): Promise<string> {
  const folder = work.project(backend);
  const modules = backend === 'node' ? join(tfjsNode(), 'node_modules') : MODULES;
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['@tensorflow', 'seedrandom', 'long']) {
    if (existsSync(join(modules, name))) symlinkSync(join(modules, name), join(folder, 'node_modules', name));
  }
  symlinkSync(join(MODULES, 'sharp'), join(folder, 'node_modules/sharp'));
  const source = fileURLToPath(new URL('training', import.meta.url));
  cpSync(join(source, 'train.ts'), join(folder, 'src/train.ts'));
  await build({
    ...{ entryPoints: [join(source, 'alone.ts')], outfile: join(folder, 'alone.mjs') },
    ...{
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: ['@tensorflow/*'],
      logLevel: 'error',
    },
    alias: { 'dag/worker': fileURLToPath(new URL('../../packages/worker/src/public.ts', import.meta.url)) },
    banner: {
      js: `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`,
    },
  });
  const worker = `worker: src/train.ts, backend: ${backend}, deps: [data], params: [bench]`;
  writeText(
    join(folder, 'pipeline.yaml'),
    `stages:\n  train: { ${worker}, outs: [model, { result.json: { cache: false } }] }\n`,
  );
  await writeData(join(folder, 'data'));
  return folder;
}

async function writeData(folder: string): Promise<void> {
  mkdirSync(folder);
  const digits = dirname(createRequire(import.meta.url).resolve('mnist/package.json'));
  const sharp = createRequire(import.meta.url)('sharp');
  const images: Buffer[] = [];
  const rows = [[...Array.from({ length: PIXELS }, (_, i) => `p${i}`), 'label'].join()];
  for (let label = 0; label < 10; label++) {
    const file = join(digits, `src/digits/${label}.json`);
    const { data } = JSON.parse(readFileSync(file, 'utf8')) as { data: number[] };
    mkdirSync(join(folder, `pictures/${label}`), { recursive: true });
    for (let i = 0; i < COUNT / 10; i++) {
      const image = Buffer.from(data.slice(i * PIXELS, (i + 1) * PIXELS).map((grey) => Math.round(grey * 255)));
      images.push(image);
      rows.push([...image, label].join());
      const raw = { width: SIDE, height: SIDE, channels: 1 };
      await sharp(image, { raw })
        .png()
        .toFile(join(folder, `pictures/${label}/${i}.png`));
    }
  }
  const labels = Uint8Array.from({ length: COUNT }, (_, i) => Math.floor(i / (COUNT / 10)));
  await writeDigits(folder, 'train', { images: Buffer.concat(images), labels });
  writeFileSync(join(folder, 'digits.csv'), `${rows.join('\n')}\n`);
}

async function overheadRow(work: WorkFolder, project: string, backend: Backend, loads: number[]): Promise<string> {
  const bench = { input: 'arrays', steps: STEPS[backend], train: true };
  setParams(project, bench);
  const ours = dag('repro', '-f', '-q');
  const alone = [process.execPath, 'alone.mjs', backend, JSON.stringify({ bench })];
  must(ours, project, work.env);
  must(alone, project, work.env);
  const taken = { dag: [] as Used[], node: [] as Used[] };
  for (let round = 0; round < ROUNDS; round++) {
    loads.push(loadavg()[0] ?? 0);
    for (const who of round % 2 === 0 ? (['dag', 'node'] as const) : (['node', 'dag'] as const)) {
      const used = await measured(who === 'dag' ? ours : alone, project, work.env);
      taken[who].push(used);
      console.error(
        `${round + 1}/${ROUNDS}  ${backend}  ${who}  ${used.wall.toFixed(2)} s, CPU ${used.cpu.toFixed(2)} s`,
      );
    }
  }
  const cells = (what: 'wall' | 'cpu') => {
    const [a, b] = [taken.dag, taken.node].map((runs) => median(runs.map((used) => used[what])));
    const more = (a ?? 0) - (b ?? 0);
    const share = ((more / (b ?? 1)) * 100).toFixed(1);
    return [`**${(a ?? 0).toFixed(2)} s**`, `${(b ?? 0).toFixed(2)} s`, `${(more * 1000).toFixed(0)} ms (${share} %)`];
  };
  return [`${backend}, ${bench.steps} steps`, ...cells('wall'), ...cells('cpu')].join(' | ');
}

async function feedRow(work: WorkFolder, project: string, backend: Backend, input: Input): Promise<string> {
  const results: Result[] = [];
  for (const train of [false, true]) {
    setParams(project, { input, steps: train ? STEPS[backend] : 300, train });
    must(dag('repro', '-f', '-q'), project, work.env);
    results.push(JSON.parse(readFileSync(join(project, 'result.json'), 'utf8')) as Result);
  }
  const rate = (result: Result | undefined) =>
    `${((result?.images ?? 0) / (result?.seconds ?? 1)).toFixed(0)} images/s`;
  const [delivered, trained] = results;
  const waited = (((trained?.waited ?? 0) / (trained?.seconds ?? 1)) * 100).toFixed(1);
  console.error(`${backend}  ${input}  ${rate(delivered)} delivered, ${rate(trained)} trained, waited ${waited} %`);
  return `${backend}, ${input} | ${rate(delivered)} | ${rate(trained)} | ${waited} %`;
}

function setParams(project: string, bench: object): void {
  writeText(join(project, 'params.yaml'), `${JSON.stringify({ bench })}\n`);
}

interface Used {
  readonly wall: number;
  readonly cpu: number;
}

/** Runs a command that must succeed. @returns seconds: that it took, and that it and all that it waited for computed. */
async function measured(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>): Promise<Used> {
  const [program = '', ...args] = command;
  const before = childrenCpu();
  const started = performance.now();
  const status = await new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? signal));
  });
  const wall = (performance.now() - started) / 1000;
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}`);
  return { wall, cpu: childrenCpu() - before };
}

/** Seconds that ended children of this process computed, as Linux counts them in hundredths (proc_pid_stat(5): cutime, cstime). */
function childrenCpu(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function table(head: readonly string[], rows: readonly string[]): string {
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  return [head.join(' | '), rule.join(' | '), ...rows].map((row) => `| ${row} |\n`).join('');
}
