import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { machineContext } from '@dag/engine';
import { hashBytes } from '@dag/store';

type RunContext = Readonly<Record<string, string | number | boolean>>;

/** What run records say of the surroundings, looked up when the first is written: the machine, git, installed packages. */
export function runContext(root: string): () => RunContext {
  let known: RunContext | undefined;
  return () => {
    known ??= { ...machineContext(), ...gitContext(root), ...packagesContext(root) };
    return known;
  };
}

/** The commit, and whether files that git tracks differ from it. */
function gitContext(root: string): RunContext {
  const git = (...args: string[]) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' });
  const head = git('rev-parse', '--verify', '-q', 'HEAD');
  if (head.status !== 0) return {};
  const changed = git('--no-optional-locks', 'status', '--porcelain', '--untracked-files=no');
  return { gitCommit: head.stdout.trim(), gitDirty: changed.stdout !== '' };
}

/** Which packages were installed, as package-lock.json names them. */
function packagesContext(root: string): RunContext {
  const file = path.join(root, 'package-lock.json');
  return fs.existsSync(file) ? { packageLock: hashBytes(fs.readFileSync(file)) } : {};
}
