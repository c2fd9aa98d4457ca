import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Scenario, Trial } from './measure.ts';
import { findPeer, type PeerId } from './peers.ts';
import type { WorkFolder } from './work-folder.ts';

const BUILT = fileURLToPath(new URL('../../packages/cli/dist', import.meta.url));
const COPIES = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

/** The built program, in a copy beside the packages that it needs: a build meanwhile changes nothing. */
const DAG = copyProgram();

function copyProgram(): string {
  mkdirSync(COPIES, { recursive: true });
  const copy = mkdtempSync(join(COPIES, 'dag-bench-'));
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
  cpSync(BUILT, copy, { recursive: true });
  return join(copy, 'dag.js');
}

/** Something to be measured: a section of docs/benchmarks.md. */
export interface Bench {
  readonly name: string;
  /** Markdown: what is done, and what each program does of it. */
  readonly about: string;
  readonly peers: readonly PeerId[];
  /** Makes the data. @returns scenarios to be measured one after the other; each may be made when it is asked for. */
  open(work: WorkFolder): Promise<{ readonly scenarios: Iterable<Scenario>; close(): Promise<void> }>;
}

/** A `dag` command as users run it: the built program, under the Node that runs the bench. */
export function dag(...args: string[]): readonly string[] {
  return [process.execPath, DAG, ...args];
}

/** The programs of one step; a peer that isn't installed gets a word on how to get it. */
export function contenders(
  own: Trial,
  peers: { readonly [P in PeerId]?: (program: string) => Trial | string },
  plain: Readonly<Record<string, Trial | string>> = {},
): ReadonlyMap<string, Trial | string> {
  const by = new Map<string, Trial | string>([['dag', own]]);
  for (const [id, trial] of Object.entries(peers)) {
    const { name, path, install } = findPeer(id as PeerId);
    by.set(name, path === undefined ? `not installed: ${install}` : trial(path));
  }
  for (const [name, trial] of Object.entries(plain)) by.set(name, trial);
  return by;
}

/** Runs a command that is not measured and must succeed; what it says is heard only if it doesn't. */
export function must(command: readonly string[], cwd: string, env: Readonly<Record<string, string>>): void {
  const [program = '', ...args] = command;
  execFileSync(program, args, { cwd, env, stdio: 'pipe', maxBuffer: 1 << 28 });
}

/** Makes a project's folder and `dvc init`, with nothing that phones home. */
export function initDvc(work: WorkFolder, program: string, folder: string): void {
  work.discard(work.at('home', 'dvc-site'));
  must([program, 'init', '-q'], folder, work.env);
  must([program, 'config', 'core.analytics', 'false'], folder, work.env);
  must([program, 'config', 'core.check_update', 'false'], folder, work.env);
}
