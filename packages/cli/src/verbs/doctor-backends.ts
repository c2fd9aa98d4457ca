import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runWorker, workerInit } from '@dag/engine';
import { BACKENDS, type Backend } from '@dag/model';
import { type CudaFacts, findCuda, type InstalledBackend, installedBackends, type Probed } from '@dag/worker';
import { beside } from '../project/beside.ts';
import type { OpenProject } from '../project/open.ts';
import { count } from '../render/units.ts';
import type { Context } from '../verb.ts';

/** How long one backend may take, in milliseconds: a GPU that is used for the first time compiles for a while. */
const PATIENCE_MS = 120_000;

/** A backend that was tried in a process of its own. */
export type TriedBackend =
  | {
      readonly name: Backend;
      readonly works: true;
      /** What loaded: where a GPU was wanted by none, `node` may stand for it. */
      readonly package: string;
      readonly version: string;
      readonly facts: Readonly<Record<string, string | number | boolean>>;
      readonly images_per_second: number;
      readonly steps_per_second: number;
    }
  | {
      readonly name: Backend;
      readonly works: false;
      readonly why: string;
      readonly hint?: string;
      readonly said?: readonly string[];
    };

export interface BackendFacts {
  readonly installed: readonly InstalledBackend[];
  readonly cuda: CudaFacts;
  /** Null where they were not asked for. */
  readonly tried: readonly TriedBackend[] | null;
}

/** The backends that the project could train on; with `all`, each is loaded and trains for a second. */
export async function backendFacts(
  context: Context,
  project: OpenProject | undefined,
  all: boolean,
  problems: string[],
): Promise<BackendFacts> {
  const root = project?.root ?? context.cwd;
  const modules = [...(project?.pipeline.stages.values() ?? [])].flatMap(({ action }) =>
    action.kind === 'worker' ? [action.module] : [],
  );
  const folders = [...new Set([...modules.map((module) => path.dirname(path.join(root, module))), root])];
  const installed = installedBackends(folders);
  for (const { package: name, problem } of installed) {
    if (problem !== undefined) problems.push(`${name}: ${problem.why}; ${problem.hint ?? ''}`);
  }
  const cuda = findCuda(context.io.env);
  if (!all) return { installed, cuda, tried: null };
  const tried: TriedBackend[] = [];
  for (const name of BACKENDS) tried.push(await tryBackend(context, root, modules[0] ?? 'probe.ts', name));
  return { installed, cuda, tried };
}

async function tryBackend(context: Context, root: string, module: string, name: Backend): Promise<TriedBackend> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dag-doctor-'));
  const lines: string[] = [];
  try {
    const bundle = beside('worker-probe.mjs');
    const paths = { root, module, bundle, metrics: path.join(folder, 'metrics'), wdir: '' };
    const nothing = { deps: [], outs: [], params: new Map() };
    const end = await runWorker({
      childEntry: beside('worker-child.mjs'),
      init: workerInit({ stage: 'doctor', tensorflow: true, backend: { name }, ...paths, ...nothing }),
      cwd: folder,
      env: { ...context.io.env, TF_CPP_MIN_LOG_LEVEL: '0' },
      logLine: (line) => lines.push(line),
      onMessage: () => {},
      signal: context.stop,
      timeout: PATIENCE_MS,
    });
    const probed = readProbed(lines);
    if (end.status === 'ok' && end.backend !== undefined && probed !== undefined) {
      const { package: from, version, facts = {} } = end.backend;
      const rate = (amount: number): number => Number((amount / probed.seconds).toPrecision(3));
      const rates = { images_per_second: rate(probed.images), steps_per_second: rate(probed.steps) };
      return { name, works: true, package: from, version, facts, ...rates };
    }
    const { message = 'it ended without a word', hint } = end.error ?? {};
    const said = lines.filter((line) => LOADER.test(line));
    return {
      name,
      works: false,
      why: /\((.*)\)$/s.exec(message)?.[1] ?? message,
      ...(hint === undefined ? {} : { hint }),
      ...(said.length === 0 ? {} : { said }),
    };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** What TensorFlow prints where a library of CUDA is missing. */
const LOADER =
  /Could not load dynamic library|Could not find cuda drivers|Cannot dlopen some GPU libraries|failed call to cuInit/;

function readProbed(lines: readonly string[]): Probed | undefined {
  const line = lines.findLast((one) => one.startsWith('{"steps"'));
  return line === undefined ? undefined : (JSON.parse(line) as Probed);
}

/** One line a package or, where they were tried, a backend. */
export function* backendLines(
  { installed, cuda, tried }: BackendFacts,
  gpus: boolean,
): Generator<readonly [string, string]> {
  const cudaParts = Object.entries(cuda.libraries).flatMap(([, files]) => files.map((file) => path.basename(file)));
  if (gpus || cuda.driver !== null || cudaParts.length > 0) {
    yield [
      'cuda:',
      `${cuda.driver === null ? 'no driver is loaded' : `driver ${cuda.driver}`}; ${cudaParts.join(', ') || 'no libraries'}`,
    ];
  }
  if (tried === null) {
    if (installed.length === 0) return;
    const names = installed.map(({ package: name, version }) => `${name} ${version}`);
    yield ['backends:', `${names.join(', ')}; 'dag doctor --backends' tries each`];
    return;
  }
  for (const one of tried) {
    if (one.works) {
      const facts = Object.entries(one.facts).map(([name, value]) => `${name} ${value}`);
      yield [
        'backend:',
        `${one.name.padEnd(6)} ${count(one.images_per_second, 'image')}/s; ${one.package} ${one.version}, ${facts.join(', ')}`,
      ];
    } else {
      yield ['backend:', `${one.name.padEnd(6)} no: ${one.why}`];
      for (const line of one.said ?? []) yield ['', `       ${line}`];
      if (one.hint !== undefined && !one.why.includes('not installed')) yield ['', `       ${one.hint}`];
    }
  }
}
