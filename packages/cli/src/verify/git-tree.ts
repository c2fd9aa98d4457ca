import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { FailureError } from '@dag/model';

/** A commit of the repository that a project lies in. */
export interface Commit {
  /** The work tree that holds the project; absolute. */
  readonly top: string;
  readonly id: string;
  /** Files of git's that differ from the commit, from `top`; they are not in it. */
  readonly uncommitted: readonly string[];
}

/** What `HEAD` is in a work tree. Throws a FailureError where there is none. */
export function headCommit(top: string | undefined): Commit {
  const id = top === undefined ? undefined : git(top, ['rev-parse', '--verify', '-q', 'HEAD^{commit}'])?.trim();
  if (top === undefined || id === undefined) {
    const message = 'verify --run runs what a commit holds, and there is none here';
    throw new FailureError({ code: 'usage', message, hint: 'git init, git add and git commit what is to be verified' });
  }
  const status =
    git(top, ['--no-optional-locks', 'status', '--porcelain', '-z', '--untracked-files=no', '--no-renames']) ?? '';
  const uncommitted = status
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => entry.slice(3));
  return { top, id, uncommitted };
}

/**
 * Makes a work tree of a commit in an empty folder, with a repository of its own that reads the objects of the other one:
 * nothing is written there, no hook runs, no ref comes along. Submodules that are checked out come along.
 */
export function makeTree({ top, id }: Pick<Commit, 'top' | 'id'>, folder: string): void {
  const objects = path.resolve(top, must(top, ['rev-parse', '--git-path', 'objects']).trim());
  const format = git(top, ['rev-parse', '--show-object-format'])?.trim() ?? 'sha1';
  must(top, ['init', '-q', '--template=', `--object-format=${format}`, folder]);
  const info = path.join(folder, '.git', 'objects', 'info');
  fs.mkdirSync(info, { recursive: true });
  fs.writeFileSync(path.join(info, 'alternates'), `${objects}\n`);
  const shallow = path.resolve(top, must(top, ['rev-parse', '--git-path', 'shallow']).trim());
  if (fs.existsSync(shallow)) fs.copyFileSync(shallow, path.join(folder, '.git', 'shallow'));
  for (const [name, value] of settingsOf(top)) must(folder, ['config', '--local', name, value]);
  must(folder, ['update-ref', '--no-deref', 'HEAD', id]);
  must(folder, ['reset', '-q', '--hard']);
  for (const [at, inner] of submodulesOf(top, id)) {
    const source = path.join(top, at);
    if (fs.existsSync(path.join(source, '.git'))) makeTree({ top: source, id: inner }, path.join(folder, at));
  }
}

/** Brings a tree back to its commit; `keep` are paths of it that stay whatever they are. */
export function resetTree(folder: string, keep: readonly string[]): void {
  must(folder, ['reset', '-q', '--hard']);
  must(folder, ['clean', '-ffdxq', ...keep.flatMap((name) => ['-e', `/${escapeGlob(name)}`])]);
}

/** What a tree has that its commit has not; paths from its top. */
export function strangersIn(folder: string): { changed: string[]; added: string[]; ignored: string[] } {
  const args = ['status', '--porcelain', '-z', '--untracked-files=all', '--ignored=traditional', '--no-renames'];
  const found = { changed: [] as string[], added: [] as string[], ignored: [] as string[] };
  for (const entry of must(folder, args).split('\0')) {
    if (entry === '') continue;
    const [state, file] = [entry.slice(0, 2), entry.slice(3)];
    if (state === '??') found.added.push(file);
    else if (state === '!!') found.ignored.push(file);
    else found.changed.push(file);
  }
  return found;
}

/** Settings of a clone that decide what files look like when they are checked out. */
function settingsOf(top: string): [string, string][] {
  const text =
    git(top, ['config', '--local', '-z', '--get-regexp', '^(filter\\.|core\\.(autocrlf|eol|symlinks|filemode)$)']) ??
    '';
  return text.split('\0').flatMap((entry): [string, string][] => {
    const at = entry.indexOf('\n');
    return at === -1 ? [] : [[entry.slice(0, at), entry.slice(at + 1)]];
  });
}

function submodulesOf(top: string, id: string): [string, string][] {
  if (git(top, ['cat-file', '-e', `${id}:.gitmodules`]) === undefined) return [];
  return must(top, ['ls-tree', '-r', '-z', id])
    .split('\0')
    .flatMap((line): [string, string][] => {
      const match = /^160000 commit ([0-9a-f]+)\t(.*)$/s.exec(line);
      return match === null ? [] : [[match[2] ?? '', match[1] ?? '']];
    });
}

function must(cwd: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = run(cwd, args);
  if (status === 0) return stdout;
  const reason = error?.message ?? (stderr.trim() || `exit status ${status}`);
  throw new FailureError({ code: 'io', message: `git ${args[0]} failed in '${cwd}': ${reason}` });
}

function git(cwd: string, args: readonly string[]): string | undefined {
  const { status, stdout } = run(cwd, args);
  return status === 0 ? stdout : undefined;
}

function run(cwd: string, args: readonly string[]): SpawnSyncReturns<string> {
  // A hook of git's has these set, for another repository.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !LOCATION.test(name)));
  const safe = ['-c', 'core.hooksPath=/dev/null', '-c', 'advice.detachedHead=false', '-c', 'core.fsmonitor=false'];
  return spawnSync('git', ['-C', cwd, ...safe, ...args], { env, encoding: 'utf8', maxBuffer: 1 << 30 });
}

const LOCATION =
  /^GIT_(DIR|WORK_TREE|INDEX_FILE|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|PREFIX|NAMESPACE)$/;

function escapeGlob(name: string): string {
  return name.replace(/[\\*?[\]]/g, '\\$&');
}
