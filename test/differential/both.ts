import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DAG, NODE, scrubbedEnv } from '../rigs/dag.ts';
import { findDvcPython } from './dvc.ts';

export type Tool = 'dag' | 'dvc';

/** How a verb of either tool ended. */
export interface Ended {
  readonly ok: boolean;
  readonly status: number | null;
  readonly out: string;
  /** Objects (files, in DVC's words) that it says it moved. */
  readonly moved: number;
}

/** One project of one of the tools, with the same verbs, and a remote `store` that is its default. */
export interface World {
  readonly tool: Tool;
  at(...parts: string[]): string;
  write(file: string, text: string): void;
  read(file: string): string | undefined;
  /** Names in a folder, sorted; nothing where there is none. */
  names(folder: string): string[];
  remove(...files: string[]): void;
  /** Writes pipeline.yaml or dvc.yaml. */
  pipeline(text: string): void;
  run(...args: string[]): Promise<Ended>;
  git(...args: string[]): Promise<Ended>;
  /** The cache as of somebody who has just cloned, and, unless they are kept, past runs. */
  forget(options?: { runs?: boolean }): void;
  /** What the commands of stages wrote into the file `ran` since it was asked last. */
  ran(): string[];
  close(): void;
}

/** DVC beside the Python that has it; undefined where there is none. */
export function findDvc(): string | undefined {
  const python = findDvcPython();
  if (python === undefined) return undefined;
  const dvc = path.join(path.dirname(python), 'dvc');
  return fs.existsSync(dvc) ? dvc : undefined;
}

/** Makes a project with git, the tool, and the remotes `store` (the default) and `other`, which are folders. */
export async function openWorld(tool: Tool): Promise<World> {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), `${tool}-both-`)));
  const [root, home] = [path.join(base, 'project'), path.join(base, 'home')];
  for (const folder of [root, home]) fs.mkdirSync(folder);
  const env = scrubbedEnv(home, { DVC_NO_ANALYTICS: '1', DVC_TEST: '1' });
  const exec = (file: string, args: readonly string[]): Promise<Ended> =>
    new Promise((resolve, reject) => {
      const child = spawn(file, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
      let out = '';
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (out += text));
      child.once('error', reject);
      child.once('close', (status) => {
        const moved = [...out.matchAll(/(\d+) (?:objects?|files?) (?:sent|fetched|pushed)/g)];
        resolve({ ok: status === 0, status, out, moved: moved.reduce((sum, [, n]) => sum + Number(n), 0) });
      });
    });
  const at = (...parts: string[]) => path.join(root, ...parts);
  const world: World = {
    tool,
    at,
    write: (file, text) => {
      fs.mkdirSync(path.dirname(at(file)), { recursive: true });
      fs.writeFileSync(at(file), text);
    },
    read: (file) => (fs.existsSync(at(file)) ? fs.readFileSync(at(file), 'utf8') : undefined),
    names: (folder) => (fs.existsSync(at(folder)) ? fs.readdirSync(at(folder)).sort() : []),
    remove: (...files) => {
      for (const file of files) fs.rmSync(at(file), { recursive: true, force: true });
    },
    pipeline: (text) => {
      const file = tool === 'dag' ? 'pipeline.yaml' : 'dvc.yaml';
      // What the project says beside its stages stays.
      const settings =
        tool === 'dag' ? (fs.readFileSync(at(file), 'utf8').split(/^stages:.*\n(?: .*\n)*/m) as string[]) : [];
      fs.writeFileSync(at(file), settings.join('') + text);
    },
    run: async (...args) => (tool === 'dag' ? await exec(NODE, [DAG, ...args]) : await exec(findDvc() ?? 'dvc', args)),
    git: (...args) => exec('git', args),
    forget: ({ runs = true } = {}) => {
      const parts = tool === 'dag' ? ['.cache/objects', '.cache/packs'] : ['.dvc/cache/files', '.dvc/tmp'];
      world.remove(...parts, ...(runs ? [tool === 'dag' ? '.cache/runs' : '.dvc/cache/runs'] : []));
    },
    ran: () => {
      const lines = (world.read('ran') ?? '').split('\n').filter((line) => line !== '');
      world.remove('ran');
      return lines;
    },
    close: () => fs.rmSync(base, { recursive: true, force: true }),
  };
  const begin = async (...args: string[]) => {
    const ended = await world.run(...args);
    if (!ended.ok) throw new Error(`${tool} ${args.join(' ')}: ${ended.out}`);
  };
  await world.git('init', '-q', '-b', 'main');
  await begin('init', '-q');
  await begin('remote', 'add', '-d', 'store', path.join(base, 'store'));
  await begin('remote', 'add', 'other', path.join(base, 'other'));
  return world;
}
