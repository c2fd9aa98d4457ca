import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What real DVC makes of a project: see ask.py. */
export type Answer =
  | Sound
  /** `crash`: DVC itself fell over. */
  | { readonly refused: string; readonly crash: boolean };

export interface Sound {
  readonly stages: readonly TheirStage[];
  readonly edges: readonly (readonly [string, string])[];
  /** Top-level params, metrics, plots and artifacts: kind, file, what it says. */
  readonly shown: readonly (readonly [string, string, unknown])[];
}

export interface TheirStage {
  readonly stage: string;
  readonly wdir: string;
  readonly cmd: unknown;
  readonly deps: readonly string[];
  readonly params: { readonly [file: string]: { readonly keys: readonly string[]; readonly values: unknown } };
  readonly outs: readonly {
    readonly path: string;
    readonly kind: string;
    readonly cache: boolean;
    readonly persist: boolean;
    readonly push: boolean;
    readonly remote: string | null;
    readonly desc: string | null;
  }[];
  readonly used: { readonly [file: string]: { readonly [key: string]: unknown } };
  readonly frozen: boolean;
  readonly always: boolean;
  readonly desc: string | null;
  readonly meta: unknown;
}

/** Targets and flags of `repro`. */
export interface Selection {
  readonly targets: readonly string[];
  readonly cwd?: string;
  readonly glob?: boolean;
  readonly single?: boolean;
  readonly downstream?: boolean;
  readonly pipeline?: boolean;
  readonly all?: boolean;
}

/** Real DVC in one long-lived process. */
export interface Dvc {
  readonly version: string;
  /** @param files texts by path; a pipeline.yaml goes to DVC as dvc.yaml. One question at a time. */
  ask(files: { readonly [path: string]: string }): Promise<Answer>;
  /** What `repro` would look at: addresses as DVC writes them, from the root. */
  select(
    files: { readonly [path: string]: string },
    wanted: readonly Selection[],
  ): Promise<(readonly string[] | { readonly refused: string })[]>;
  close(): void;
}

export const WITHOUT_DVC =
  'real DVC is not installed (python3 -m venv DIR && DIR/bin/pip install dvc, then DVC_PYTHON=DIR/bin/python)';

/**
 * A Python that can import dvc: `DVC_PYTHON`, the one that CI installs, or that of the `dvc` on PATH. Undefined
 * where there is none.
 */
export function findDvcPython(): string | undefined {
  const named = process.env['DVC_PYTHON'];
  if (named !== undefined && named !== '') return named;
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const candidates = [join(cache, 'dag-ci/dvc/bin/python'), pythonOfCommand()];
  return candidates.find((python): python is string => python !== undefined && canImport(python));
}

/** The interpreter in the first line of the `dvc` on PATH. */
function pythonOfCommand(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const dvc = folders.map((folder) => join(folder, 'dvc')).find((file) => existsSync(file));
  if (dvc === undefined) return undefined;
  const interpreter = /^#!(\S+)/.exec(readFileSync(dvc, 'utf8'))?.[1];
  return interpreter ?? join(dirname(realpathSync(dvc)), 'python');
}

function canImport(python: string): boolean {
  if (!existsSync(python)) return false;
  try {
    execFileSync(python, ['-c', 'import dvc.repo'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Starts DVC with a Python that has it. */
export async function startDvc(python: string): Promise<Dvc> {
  const { version, child, lines } = await startHelper(python, 'ask.py');
  return {
    version,
    ask: async (files) => {
      child.stdin.write(`${JSON.stringify({ files: theirFiles(files) })}\n`);
      return JSON.parse(await lines()) as Answer;
    },
    select: async (files, select) => {
      child.stdin.write(`${JSON.stringify({ files: theirFiles(files), select })}\n`);
      return JSON.parse(await lines()) as string[][];
    },
    close: () => child.stdin.end(),
  };
}

/** How DVC reads a file of values: see read.py. */
export type TheirReading = { readonly value: unknown } | { readonly refused: string; readonly crash: boolean };

/** DVC's own loaders of YAML, JSON, TOML and Python files in one long-lived process. */
export interface Loaders {
  readonly version: string;
  /** Reads texts by the name of their file, in order. One call at a time. */
  read(texts: readonly { readonly name: string; readonly text: string }[]): Promise<TheirReading[]>;
  close(): void;
}

export async function startLoaders(python: string): Promise<Loaders> {
  const { version, child, lines } = await startHelper(python, 'read.py');
  return {
    version,
    async read(texts) {
      child.stdin.write(texts.map((one) => `${JSON.stringify(one)}\n`).join(''));
      const readings: TheirReading[] = [];
      while (readings.length < texts.length) readings.push(JSON.parse(await lines()) as TheirReading);
      return readings;
    },
    close: () => child.stdin.end(),
  };
}

/** DVC's command line in one long-lived process: see cli.py. */
export interface DvcCommands {
  readonly version: string;
  /** Runs a command in a folder. One call at a time. */
  run(cwd: string, args: readonly string[]): Promise<{ readonly status: number; readonly stdout: string }>;
  close(): void;
}

export async function startCommands(python: string): Promise<DvcCommands> {
  const { version, child, lines } = await startHelper(python, 'cli.py');
  return {
    version,
    async run(cwd, args) {
      child.stdin.write(`${JSON.stringify({ cwd, args })}\n`);
      return JSON.parse(await lines()) as { status: number; stdout: string };
    },
    close: () => child.stdin.end(),
  };
}

async function startHelper(python: string, script: string) {
  const file = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(python, [file], {
    stdio: ['pipe', 'pipe', 'ignore'],
    // Sets in its messages keep one order.
    env: { ...process.env, PYTHONHASHSEED: '0' },
  });
  const lines = linesOf(child);
  const { version } = JSON.parse(await lines()) as { version: string };
  return { version, child, lines };
}

const THEIR_NAMES: { readonly [ours: string]: string } = {
  'pipeline.yaml': 'dvc.yaml',
  'pipeline.lock': 'dvc.lock',
  '.dagignore': '.dvcignore',
};

function theirFiles(files: { readonly [path: string]: string }): { [path: string]: string } {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [theirName(path), text]));
}

function theirName(path: string): string {
  return path.replace(/[^/]+$/, (name) => THEIR_NAMES[name] ?? name);
}

/** The lines that a process writes, one a call. */
function linesOf(child: ChildProcess): () => Promise<string> {
  if (child.stdout === null) throw new Error('the process has no output');
  const iterator = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await iterator.next();
    if (done) throw new Error('DVC ended before it answered');
    return value;
  };
}
