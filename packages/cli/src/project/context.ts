import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { machineContext } from '@dag/engine';
import { hashBytes } from '@dag/store';
import { projectId } from './sharing.ts';

/** Version of the package that this was built into; not there where the sources run by themselves. */
declare const DAG_VERSION: string | undefined;

type RunContext = Readonly<Record<string, string | number | boolean>>;

/** What run records say of the surroundings, looked up when the first is written: the machine, git, installed packages. */
export function runContext(root: string): () => RunContext {
  let known: RunContext | undefined;
  return () => {
    known ??= {
      project: projectId(root),
      ...programContext(),
      ...machineContext(),
      ...gitContext(root),
      ...packagesContext(root),
    };
    return known;
  };
}

function programContext(): RunContext {
  return typeof DAG_VERSION === 'string' ? { dag: DAG_VERSION } : {};
}

/** The commit, and whether files that git tracks differ from it. */
function gitContext(root: string): RunContext {
  const args = ['--no-optional-locks', 'status', '--porcelain=v2', '--branch', '--untracked-files=no'];
  const { stdout } = spawnSync('git', ['-C', root, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  const lines = (stdout ?? '').split('\n').filter((line) => line !== '');
  const commit = /^# branch\.oid ([0-9a-f]{40,})$/.exec(lines[0] ?? '')?.[1];
  if (commit === undefined) return {};
  return { gitCommit: commit, gitDirty: lines.some((line) => !line.startsWith('#')) };
}

/** Which packages were installed, as package-lock.json names them. */
function packagesContext(root: string): RunContext {
  const file = path.join(root, 'package-lock.json');
  return fs.existsSync(file) ? { packageLock: hashBytes(fs.readFileSync(file)) } : {};
}
