import { spawnSync } from 'node:child_process';
import { FailureError } from '@dag/model';
import { parseBatch } from './batch.ts';
import type { CommitId, Repository } from './repository.ts';

/** Objects asked for in one go. */
const BATCH = 4000;

/**
 * Opens the repository that a folder lies in.
 * @param folder the project root, absolute.
 * @param env the environment that git is run in.
 * @returns undefined outside a git work tree.
 * @throws FailureError `io` where there is no git to run.
 */
export function openRepository(
  folder: string,
  env: Readonly<Record<string, string | undefined>>,
): Repository | undefined {
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
  const lines = (...args: string[]): string[] => {
    const { status, stdout, stderr } = run(args);
    if (status === 0) return stdout.toString('utf8').split('\n').filter(Boolean);
    const said = stderr
      .toString('utf8')
      .trim()
      .replace(/^fatal: /, '');
    throw new FailureError({ code: 'io', message: `git ${args[0]} failed: ${said}` });
  };
  const inside = run(['rev-parse', '--show-prefix']);
  if (inside.status !== 0) return undefined;
  const commitOf = (revision: string): CommitId | undefined => {
    const { status, stdout } = run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`]);
    const id = stdout.toString('utf8').trim();
    return status === 0 && isId(id) ? (id as CommitId) : undefined;
  };
  const head = (): CommitId[] => [commitOf('HEAD') ?? []].flat();
  const tips = (pattern: string): CommitId[] =>
    lines('for-each-ref', '--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname)', pattern).flatMap(
      (line) => {
        const words = line.split(' ');
        const at = words.lastIndexOf('commit');
        return at === -1 ? [] : [words[at + 1] as CommitId];
      },
    );
  return {
    prefix: inside.stdout.toString('utf8').replace(/\n$/, '').replace(/\/$/, ''),
    commitOf,
    branches: () => unique([...head(), ...tips('refs/heads')]),
    tags: () => unique(tips('refs/tags')),
    commits(since) {
      const when = since === undefined ? [] : [`--since=${since.toISOString()}`];
      const reached = lines('rev-list', '--all', ...when) as CommitId[];
      const fromHead = head().length === 0 ? [] : (lines('rev-list', 'HEAD', ...when) as CommitId[]);
      return unique([...reached, ...fromHead]);
    },
    back: (count) =>
      head().length === 0 ? [] : (lines('rev-list', '--first-parent', `--max-count=${count}`, 'HEAD') as CommitId[]),
    read(ids) {
      const wanted = [...new Set(ids)];
      const found = new Map<string, Buffer>();
      for (let from = 0; from < wanted.length; from += BATCH) {
        const part = wanted.slice(from, from + BATCH);
        const { stdout } = run(['cat-file', '--batch'], `${part.join('\n')}\n`);
        parseBatch(stdout, part, found);
      }
      return found;
    },
  };
}

function isId(text: string): boolean {
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
