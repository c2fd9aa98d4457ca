import { fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { blake3Digest, type Digest, type MetricLine, type ProjectPath, parseMetricLine } from '@dag/model';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { bundleModule } from '../src/module.ts';
import { type ChildMessage, PROTOCOL_VERSION, readChildMessage, type WorkerInit, wrap } from '../src/protocol.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** Absolute path of a file of some package, as the tests' own project has it installed. */
export const packageFile = (name: string) => createRequire(import.meta.url).resolve(name);

export interface Built {
  readonly folder: string;
  readonly childEntry: string;
  readonly publicModule: string;
  remove(): void;
}

/** The child and the public module as a user gets them: bundled. */
export async function buildWorker(): Promise<Built> {
  const folder = temporaryFolder();
  const childEntry = join(folder, 'worker-child.mjs');
  const publicModule = join(folder, 'worker.mjs');
  const options = { bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' } as const;
  await build({ ...options, entryPoints: [join(here, '../src/child.ts')], outfile: childEntry });
  await build({ ...options, entryPoints: [join(here, '../src/public.ts')], outfile: publicModule });
  return { folder, childEntry, publicModule, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export const temporaryFolder = () => realpathSync(mkdtempSync(join(tmpdir(), 'dag-worker-')));

/** Writes files into a folder: names with text. */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** A digest for tests: the content itself decides it, the algorithm is of no matter. */
export function fakeDigest(bytes: Uint8Array): Digest {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return blake3Digest(hash.toString(16).padStart(64, '0'));
}

export interface ChildRun {
  /** But for beats, which come as time goes by. */
  readonly messages: ChildMessage[];
  /** Lines of its standard output: what `ctx.log` said among them. */
  readonly said: readonly string[];
  /** What it reported into its metrics file. */
  readonly reported: readonly MetricLine[];
  /** Folder of its images. */
  readonly images: string;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

export interface ChildOptions extends Partial<Omit<WorkerInit, 'type'>> {
  /** Called for each message; what it returns is sent to the child. */
  onMessage?(message: ChildMessage): unknown;
  /** The same for each piece of its output. */
  onOutput?(text: string): unknown;
  /** Beside the tests' own environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Bundles and runs the module `main.ts` of a project in a worker process, to its end. */
export async function runChild(built: Built, root: string, options: ChildOptions = {}): Promise<ChildRun> {
  const { onMessage, onOutput, env, ...init } = options;
  const bundle = join(root, '.cache/tmp/main.mjs');
  const module = (init.module ?? 'main.ts') as ProjectPath;
  const result = await bundleModule({ root, module, hash: fakeDigest, outFile: bundle, ...built });
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  const child = fork(built.childEntry, [], {
    ...{ cwd: root, silent: true, serialization: 'advanced' },
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2', ...env },
  });
  const messages: ChildMessage[] = [];
  const answer = (message: unknown) => {
    if (message !== undefined && child.connected) child.send(message as object);
  };
  let [output, stdout] = ['', ''];
  child.stdout?.on('data', (chunk) => {
    output += chunk;
    stdout += chunk;
    answer(onOutput?.(String(chunk)));
  });
  child.stderr?.on('data', (chunk) => (output += chunk));
  child.on('message', (raw) => {
    const message = readChildMessage(raw);
    if (message === undefined || message.type === 'beat') return;
    messages.push(message);
    answer(onMessage?.(message));
  });
  const ended = Promise.all([
    new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
      child.once('close', (code, signal) => resolve({ code, signal })),
    ),
    new Promise((resolve) => child.once('disconnect', resolve)),
  ]);
  const { tensorflow } = result.value;
  const metrics = join(root, '.cache/tmp', `${runs++}.metrics.ndjson`);
  const full: WorkerInit = {
    ...{ type: 'init', version: PROTOCOL_VERSION, stage: 'main', root, wdir: '', module, bundle, metrics },
    ...{ deps: [], outs: [], params: {}, seed: 1, tensorflow, ...init },
  };
  child.send(wrap(full));
  const [end] = await ended;
  const said = stdout.split('\n').slice(0, -1);
  const reported = existsSync(metrics) ? readFileSync(metrics, 'utf8').split('\n').slice(0, -1) : [];
  const lines = reported.map((text) => parseMetricLine(text) ?? raise(`no metric line: ${text}`));
  return { messages, output, said, reported: lines, images: metrics.replace(/metrics\.ndjson$/, 'images'), ...end };
}
let runs = 0;

function raise(message: string): never {
  throw new Error(message);
}

/** What tests of the child stand on. */
export interface WorkerRig {
  readonly built: Built;
  /** A project folder, of the test that runs. */
  readonly root: string;
}

/** The worker, built once for all tests of a file, and a project folder for each. */
export function workerRig(): WorkerRig {
  let built: Built | undefined;
  let root: string | undefined;
  beforeAll(async () => {
    built = await buildWorker();
  });
  afterAll(() => built?.remove());
  beforeEach(() => {
    root = temporaryFolder();
  });
  afterEach(() => {
    if (root !== undefined) rmSync(root, { recursive: true, force: true });
    root = undefined;
  });
  const outside = (): never => {
    throw new Error('there is none outside of a test');
  };
  return {
    get built() {
      return built ?? outside();
    },
    get root() {
      return root ?? outside();
    },
  };
}
