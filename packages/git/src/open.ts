import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { FailureError } from '@dag/model';
import { parseBatch } from './batch.ts';
import { fetchPromised, promisorOf } from './promised.ts';
import type { CommitId, Repository } from './repository.ts';

/** Objects asked for in one go. */
const BATCH = 4000;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Opens the repository that a folder lies in.
 * @param folder the project root, absolute.
 * @param env the environment that git is run in.
 * @returns undefined outside a git work tree.
 * @throws FailureError `io` where there is no git to run, or it refuses: a repository of another owner, say.
 */
export function openRepository(folder: string, env: Env): Repository | undefined {
  const run = (args: readonly string[], input?: string): { status: number | null; stdout: Buffer; stderr: Buffer } => {
    const ended = spawnSync('git', ['--no-optional-locks', ...args], {
      cwd: folder,
      env: { ...env, LC_ALL: 'C' },
      maxBuffer: 2 ** 31 - 1,
      ...(input === undefined ? {} : { input }),
    });
    if (ended.error === undefined) return ended;
    const why = (ended.error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it is not on PATH' : ended.error.message;
    throw new FailureError({ code: 'io', message: `git could not be run: ${why}` }, { cause: ended.error });
  };
  const checked = (args: readonly string[], input?: string): Buffer => {
    const { status, stdout, stderr } = run(args, input);
    if (status === 0) return stdout;
    const text = stderr.toString('utf8');
    const [said = ''] = text
      .trim()
      .replace(/^fatal: /, '')
      .split('\n');
    const hint = hintFor(text);
    const message = `git ${args[0]} failed in ${folder}: ${said}`;
    throw new FailureError({ code: 'io', message, ...(hint === undefined ? {} : { hint }) });
  };
  const lines = (...args: string[]): string[] => checked(args).toString('utf8').split('\n').filter(Boolean);
  const inside = run(['rev-parse', '--show-prefix']);
  if (inside.status !== 0 && /not a git repository|must be run in a work tree/.test(inside.stderr.toString('utf8'))) {
    return undefined;
  }
  if (inside.status !== 0) checked(['rev-parse', '--show-prefix']);
  const commitOf = (revision: string): CommitId | undefined => {
    const { status, stdout } = run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
    const id = stdout.toString('utf8').trim();
    return status === 0 && isId(id) ? (id as CommitId) : undefined;
  };
  const head = (): CommitId[] => [commitOf('HEAD') ?? []].flat();
  const named = (pattern: string): Map<string, CommitId> => {
    const format = '--format=%(refname:lstrip=2) %(objecttype) %(objectname) %(*objecttype) %(*objectname)';
    const found = new Map<string, CommitId>();
    for (const line of lines('for-each-ref', format, pattern)) {
      const [name = '', ...words] = line.split(' ');
      const at = words.lastIndexOf('commit');
      if (at !== -1) found.set(name, words[at + 1] as CommitId);
    }
    return found;
  };
  const tips = (pattern: string): CommitId[] => [...named(pattern).values()];
  let promisor: { readonly remote: string | undefined } | undefined;
  const home = realpathSync(resolve(folder, lines('rev-parse', '--git-common-dir')[0] ?? '.'));
  return {
    home,
    cutAt() {
      const file = join(home, 'shallow');
      return new Set((existsSync(file) ? readFileSync(file, 'utf8') : '').split('\n').filter(isId) as CommitId[]);
    },
    isSparse: () => run(['config', '--type=bool', 'core.sparseCheckout']).stdout.toString('utf8') === 'true\n',
    prefix: inside.stdout.toString('utf8').replace(/\n$/, '').replace(/\/$/, ''),
    commitOf,
    named: (kind) => named(kind === 'branches' ? 'refs/heads' : 'refs/tags'),
    currentBranch: () => {
      const { status, stdout } = run(['symbolic-ref', '--quiet', '--short', 'HEAD']);
      return status === 0 ? stdout.toString('utf8').trim() : undefined;
    },
    branches: () => unique([...head(), ...tips('refs/heads')]),
    tags: () => unique(tips('refs/tags')),
    commits(since) {
      // Not --since: it ends at the first old commit, and younger ones may lie behind that where clocks differ.
      const oldest = since === undefined ? 0 : since.getTime() / 1000;
      const reached = lines('rev-list', '--timestamp', '--all', ...head());
      const dated = reached.map((line) => line.split(' ')).filter(([time]) => Number(time) >= oldest);
      return dated.map(([, id]) => id as CommitId);
    },
    back: (count) =>
      head().length === 0 ? [] : (lines('rev-list', '--first-parent', `--max-count=${count}`, 'HEAD') as CommitId[]),
    read(ids) {
      const wanted = [...new Set(ids)];
      if (wanted.length > 1) promisor ??= { remote: promisorOf(run) };
      if (promisor?.remote !== undefined) fetchPromised(run, promisor.remote, wanted);
      const found = new Map<string, Buffer>();
      for (let from = 0; from < wanted.length; from += BATCH) {
        const part = wanted.slice(from, from + BATCH);
        parseBatch(checked(['cat-file', '--batch'], `${part.join('\n')}\n`), part, found);
      }
      return found;
    },
  };
}

/** An environment in which git finds the repository by the folder alone: inside a hook it names the hook's. */
export function withoutRepository(env: Env): Env {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !NAMES_REPOSITORY.has(name)));
}

/** As `git rev-parse --local-env-vars` has them, but for those that hold settings. */
const NAMES_REPOSITORY: ReadonlySet<string> = new Set([
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_COMMON_DIR',
  'GIT_INDEX_FILE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_NAMESPACE',
  'GIT_PREFIX',
]);

/** What to do about a refusal of git's, where git itself says it or where it is clear. */
function hintFor(said: string): string | undefined {
  const trust = /^\s*(git config --global --add safe\.directory .*)$/m.exec(said)?.[1];
  if (trust !== undefined) return `the folder is another user's: '${trust}' trusts it`;
  if (/promisor remote/.test(said)) return 'this clone is partial: git asks its remote for what it has not yet got';
  return undefined;
}

function isId(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
