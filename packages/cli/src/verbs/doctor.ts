import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { FailureError } from '@dag/model';
import { hashing, statCacheFolder } from '@dag/store';
import { probeLinks } from '@dag/workspace';
import { asFailure, EXIT } from '../failure.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { defaultRemotes } from '../project/remotes.ts';
import { otherProjects } from '../project/sharing.ts';
import { bytesText } from '../render/units.ts';
import type { Context } from '../verb.ts';
import { backendFacts, backendLines } from './doctor-backends.ts';
import { gpuFacts, gpuLines } from './doctor-gpus.ts';

/** Version of the package that this was built into. */
declare const DAG_VERSION: string;

interface Options {
  readonly backends?: boolean;
}

export async function doctor(context: Context, _: readonly string[], options: Options): Promise<number> {
  const problems: string[] = [];
  const machine = machineFacts(context, problems);
  let project: OpenProject | undefined;
  try {
    project = await openProject(context);
  } catch (error) {
    const failure = asFailure(error);
    if (failure === undefined) throw error;
    problems.push(error instanceof FailureError ? error.message : String(error));
  }
  try {
    const own = project === undefined ? undefined : projectFacts(context, project, problems);
    const gpus = await gpuFacts(context, project, problems);
    const backends = await backendFacts(context, project, options.backends === true, problems);
    context.emit({ ...machine, ...gpus, backends, project: own ?? null, problems });
    printFacts(context, machine);
    for (const line of gpuLines(gpus)) context.print(`${'gpu:'.padEnd(12)} ${line}`);
    for (const [label, line] of backendLines(backends, gpus.gpus.length > 0))
      context.print(`${label.padEnd(12)} ${line}`);
    printFacts(context, own ?? {});
    for (const problem of problems) context.print(`problem:  ${problem}`);
    if (problems.length === 0) context.print('No problems found.');
    return EXIT.done;
  } finally {
    await project?.close();
  }
}

function machineFacts(context: Context, problems: string[]) {
  const git = versionOf(context, 'git', '--version');
  if (git === undefined) problems.push('git was not found on PATH: revisions and .gitignore upkeep need it');
  if (hashing().name === 'portable') {
    problems.push('@napi-rs/blake-hash has no binary for this machine: hashing is some hundred times slower');
  }
  return {
    dag: DAG_VERSION,
    node: process.version,
    platform: `${process.platform} ${process.arch}, ${os.release()}`,
    cores: os.availableParallelism(),
    memory: os.totalmem(),
    hashing: hashing().name,
    git: git ?? null,
  };
}

function projectFacts(context: Context, project: OpenProject, problems: string[]) {
  const { store, root, pipeline, link } = project;
  const statCache = statCacheFolder(path.join(root, '.cache', 'stat'));
  const defaults = defaultRemotes(project, context);
  const works = probe(() => store.tmpFolder(), root, problems);
  const first = link.find((strategy) => works?.[strategy] === true);
  if (works?.reflink === false && first === 'copy') {
    problems.push(
      'no reflinks here: each large file takes its space twice; cache.link: [hardlink] or [symlink] shares it, read-only',
    );
  }
  if (process.getuid?.() === 0 && (first === 'hardlink' || first === 'symlink')) {
    problems.push(
      `large files are ${first}s to the cache, and no mode stops root: an edit in place damages the cache; use copies, or another user`,
    );
  }
  return {
    root,
    cache: {
      dir: store.dir,
      file_system: fileSystemOf(store.dir),
      free: freeOf(store.dir),
      link,
      works: works ?? null,
    },
    workspace: { file_system: fileSystemOf(root), free: freeOf(root) },
    stat_cache: {
      dir: statCache ?? null,
      bytes: statCache === undefined ? 0 : sizeOf(path.join(statCache, 'stat-1.mdb')),
      works: statCache !== undefined && canLoad('lmdb'),
    },
    shared_with: sharers(project, problems),
    remotes: [...pipeline.settings.remotes.values()].map(({ name, url }) => ({
      name,
      url,
      default: defaults.includes(name),
    })),
    stages: pipeline.stages.size,
    data: pipeline.data.length,
  };
}

function probe(tmpFolder: () => string, root: string, problems: string[]): Record<string, boolean> | undefined {
  try {
    return Object.fromEntries(probeLinks(tmpFolder(), root).map(({ strategy, works }) => [strategy, works]));
  } catch (error) {
    if (asFailure(error) === undefined) throw error;
    problems.push(`the cache can't be written: ${(error as Error).message}`);
    return undefined;
  }
}

function sharers(project: OpenProject, problems: string[]): readonly string[] {
  try {
    return otherProjects(project.store, project.root).projects;
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    problems.push(error.message);
    return [];
  }
}

function printFacts(context: Context, facts: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(facts)) {
    context.print(`${`${name.replaceAll('_', ' ')}:`.padEnd(12)} ${factText(name, value)}`);
  }
}

function factText(name: string, value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (Array.isArray(value)) return value.map((item) => factText('', item)).join(', ') || 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return /memory|free|bytes/.test(name) ? bytesText(value) : String(value);
  if (typeof value !== 'object') return String(value);
  return Object.entries(value)
    .map(([key, inner]) => `${key.replaceAll('_', ' ')} ${factText(key, inner)}`)
    .join('; ');
}

function versionOf(context: Context, program: string, ...args: string[]): string | undefined {
  try {
    const env = context.io.env as NodeJS.ProcessEnv;
    return execFileSync(program, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** Linux's numbers for the file systems that one meets. */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlay'],
  [0x6969, 'nfs'],
  [0x2fc12fc1, 'zfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb'],
  [0x0bd00bd0, 'lustre'],
  [0x65735546, 'fuse'],
]);

function fileSystemOf(folder: string): string {
  const { type } = fs.statfsSync(existing(folder));
  if (process.platform !== 'linux') return `type ${type}`;
  return FILE_SYSTEMS.get(type) ?? `type 0x${type.toString(16)}`;
}

function freeOf(folder: string): number {
  const { bavail, bsize } = fs.statfsSync(existing(folder));
  return bavail * bsize;
}

function existing(folder: string): string {
  return fs.existsSync(folder) ? folder : existing(path.dirname(folder));
}

function sizeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function canLoad(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}
