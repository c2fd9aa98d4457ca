import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DAG, NODE, type Outcome, scrubbedEnv } from './dag.ts';

/** How a run of `dag` ended. */
export interface Ran extends Outcome {
  readonly signal: NodeJS.Signals | null;
  /** Standard output as NDJSON. */
  readonly events: readonly Record<string, unknown>[];
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Inside the project. */
  readonly cwd?: string;
}

/** A project in a temporary folder, with a git repository, a HOME of its own and a scrubbed environment. */
export interface TestProject {
  readonly root: string;
  readonly home: string;
  path(...parts: string[]): string;
  write(file: string, content: string | Uint8Array): void;
  read(file: string): string;
  exists(file: string): boolean;
  git(...args: string[]): string;
  /** Runs `dag` to its end. */
  dag(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** Starts `dag` and leaves it running. */
  start(args: readonly string[], options?: RunOptions): { readonly child: ChildProcess; readonly ended: Promise<Ran> };
  /** The events of `dag repro --json ARGS`, by what became of each stage. */
  repro(args?: readonly string[], options?: RunOptions): Promise<Repro>;
  remove(): void;
}

/** The last event of a repro, and how it ended. */
export interface Repro extends Ran {
  readonly ran: readonly string[];
  readonly restored: readonly string[];
  readonly skipped: readonly string[];
  readonly failed: readonly string[];
  readonly blocked: readonly string[];
  readonly cancelled: readonly string[];
}

/** Makes a project; with `clone`, a `git clone` of another one. */
export function makeProject(options: { readonly clone?: TestProject } = {}): TestProject {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'dag-test-')));
  const [root, home] = [path.join(base, 'project'), path.join(base, 'home')];
  fs.mkdirSync(home);
  const env = scrubbedEnv(home);
  const git = (cwd: string, args: readonly string[]): string =>
    execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (options.clone === undefined) {
    fs.mkdirSync(root);
    git(root, ['init', '-q', '-b', 'main']);
  } else {
    git(base, ['clone', '-q', options.clone.root, root]);
  }
  const at = (...parts: string[]): string => path.join(root, ...parts);
  const start = (args: readonly string[], { env: extra = {}, cwd = '.' }: RunOptions = {}) => {
    const child = spawn(NODE, [DAG, ...args], {
      cwd: at(cwd),
      env: { ...env, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return { child, ended: collect(child) };
  };
  return {
    root,
    home,
    path: at,
    write: (file, content) => {
      fs.mkdirSync(path.dirname(at(file)), { recursive: true });
      fs.writeFileSync(at(file), content);
    },
    read: (file) => fs.readFileSync(at(file), 'utf8'),
    exists: (file) => fs.existsSync(at(file)),
    git: (...args) => git(root, args),
    dag: async (args, run) => await start(args, run).ended,
    start,
    repro: async (args = [], run) => {
      const ended = await start(['repro', '--json', ...args], run).ended;
      const last = ended.events.findLast((event) => event['event'] === 'summary') ?? {};
      const list = (name: string): readonly string[] => (last[name] as string[] | undefined) ?? [];
      return {
        ...ended,
        ran: list('ran'),
        restored: list('restored'),
        skipped: list('skipped'),
        failed: list('failed'),
        blocked: list('blocked'),
        cancelled: list('cancelled'),
      };
    },
    remove: () => fs.rmSync(base, { recursive: true, force: true }),
  };
}

function collect(child: ChildProcess): Promise<Ran> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk) => {
    stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) =>
      resolve({
        status,
        signal,
        stdout,
        stderr,
        // Read when asked for: not all that begins with a brace is a line of events.
        get events() {
          return eventsOf(stdout);
        },
      }),
    );
  });
}

function eventsOf(stdout: string): Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
