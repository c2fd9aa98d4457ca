import fs from 'node:fs';
import path from 'node:path';
import { FailureError } from '@dag/model';
import { EXIT, failureText } from '../failure.ts';
import { ARGUMENTS } from '../git-hooks/managers.ts';
import { type Git, gitIn } from '../git-hooks/run-git.ts';
import { HOOK_NAMES, type HookName, LISTS } from '../git-hooks/scripts.ts';
import { openProject } from '../project/open.ts';
import { defaultRemotes } from '../project/remotes.ts';
import { PIPELINE_FILE } from '../project/root.ts';
import type { Context } from '../verb.ts';
import { checkout } from './checkout.ts';
import { statusVerb } from './status.ts';
import { push } from './transfer.ts';

/**
 * The work of one of git's hooks, for every project that was installed. What goes wrong is said; only a push that fails stops
 * git, since the data belongs to what it is about to publish.
 */
export async function hook(context: Context, words: readonly string[]): Promise<number> {
  const [name, ...given] = words as [HookName, ...string[]];
  if (!HOOK_NAMES.includes(name)) {
    throw new FailureError({ code: 'usage', message: `'${name}' is none of ${HOOK_NAMES.join(', ')}` });
  }
  const args = ARGUMENTS[name].words.map((variable, i) => given[i] ?? context.io.env[variable]);
  const git = gitIn(context.cwd);
  if (!concerns(git, name, args)) return EXIT.done;
  const top = git.do('rev-parse', '--show-toplevel');
  const folders = git.ask('config', '--get-all', 'dag.project')?.split('\n') ?? ['.'];
  // They name the repository to every git that is called from here on, some by paths that hold in this folder only.
  for (const variable of ['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_PREFIX']) delete process.env[variable];
  let status: number = EXIT.done;
  for (const folder of folders) {
    const root = path.resolve(top, folder);
    if (!fs.existsSync(path.join(root, PIPELINE_FILE))) continue;
    status = Math.max(status, await inProject({ ...context, cwd: root, root }, name));
  }
  return name === 'pre-push' ? status : EXIT.done;
}

/** Whether there may be anything to do. */
function concerns(
  git: Git,
  name: HookName,
  [first = '', second = '', third = '']: readonly (string | undefined)[],
): boolean {
  const isSame = (from: string, to: string): boolean =>
    git.ask('diff-tree', '-r', '--quiet', from, to, '--', ...LISTS) !== undefined;
  if (name === 'post-checkout') return third === '1' && !picksFollow(git) && !isSame(first, second);
  if (name === 'post-merge') return first === '1' || !isSame('ORIG_HEAD', 'HEAD');
  if (name === 'post-commit') return !isSame('HEAD^', 'HEAD');
  return name !== 'post-rewrite' || first === 'rebase';
}

/**
 * Whether this is the start of a rebase that has commits to apply: the data of the last one is what counts, and git calls
 * `post-rewrite` then. It does not where the branch only moves forward.
 */
function picksFollow(git: Git): boolean {
  const at = (name: string): string => git.do('rev-parse', '--path-format=absolute', '--git-path', name);
  if (fs.existsSync(at('rebase-apply'))) return true;
  if (!fs.existsSync(at('rebase-merge'))) return false;
  const todo = path.join(at('rebase-merge'), 'git-rebase-todo');
  return !fs.existsSync(todo) || /^(?!noop\b|#)\S/m.test(fs.readFileSync(todo, 'utf8'));
}

async function inProject(context: Context, name: HookName): Promise<number> {
  try {
    if (name === 'pre-commit') return await sayStatus(context);
    if (name === 'pre-push') return await pushData(context);
    return await checkout(context, [], {});
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    context.io.err(failureText(error.failure, context.io.colour.err));
    return EXIT.unsuccessful;
  }
}

/** Shows what changed, and nothing where nothing did. */
async function sayStatus(context: Context): Promise<number> {
  const lines: string[] = [];
  await statusVerb({ ...context, print: (line) => lines.push(line) }, [], {});
  if (lines.join() === 'Everything is up to date.') return EXIT.done;
  context.say("dag status: not recorded in what is committed ('dag repro', 'dag add' or 'dag commit' does):");
  for (const line of lines) context.say(line);
  return EXIT.done;
}

async function pushData(context: Context): Promise<number> {
  const project = await openProject(context);
  const remotes = defaultRemotes(project, context);
  await project.close();
  if (remotes.length > 0) return await push(context, [], {});
  context.say("dag: no remote is set, so no data is pushed: 'dag remote add' sets one");
  return EXIT.done;
}
