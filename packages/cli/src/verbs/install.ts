import fs from 'node:fs';
import path from 'node:path';
import { openRepository } from '@dag/git';
import { FailureError } from '@dag/model';
import { withIo } from '@dag/store';
import { EXIT } from '../failure.ts';
import { type Advice, adviceFor } from '../git-hooks/managers.ts';
import { type Git, gitIn } from '../git-hooks/run-git.ts';
import {
  ATTRIBUTES_LINE,
  DRIVER,
  DRIVER_COMMAND,
  HOOK_NAMES,
  HOOKS,
  type HookName,
  hookScript,
  isOurs,
  runScript,
} from '../git-hooks/scripts.ts';
import { requireRoot } from '../project/root.ts';
import type { Context } from '../verb.ts';

/** Where git keeps what is asked about, absolute; all work trees of a repository have them in common. */
interface Places {
  readonly git: Git;
  readonly top: string;
  readonly hooks: string;
  readonly run: string;
  readonly attributes: string;
  /** The project's folder from the top; `.` where it is the top. */
  readonly project: string;
}

/** `kept`: somebody else's hook stays as it is. */
type HookState = 'installed' | 'there' | 'kept';

/** Places hooks and merge driver in the repository that the project is in; nothing of it is seen by git as a change. */
export async function install(
  context: Context,
  _: readonly string[],
  options: { readonly uninstall?: boolean },
): Promise<number> {
  const places = placesOf(context);
  if (options.uninstall === true) return uninstall(context, places);
  const { git, hooks, run, attributes, project } = places;
  writeScript(run, runScript(process.execPath, fs.realpathSync(process.argv[1] ?? '')));
  git.do('config', `merge.${DRIVER}.name`, 'pipeline.lock, entry by entry');
  git.do('config', `merge.${DRIVER}.driver`, DRIVER_COMMAND);
  if (!projects(git).includes(project)) git.do('config', '--add', 'dag.project', project);
  setAttributes(attributes, true);
  const states = new Map<HookName, HookState>();
  const advice: { readonly name: HookName; readonly advice: Advice }[] = [];
  for (const name of HOOK_NAMES) {
    const file = path.join(hooks, name);
    const text = textOf(file);
    const isKept = text !== undefined && !isOurs(text);
    if (isKept && !text.includes(`dag hook ${name}`)) {
      const folder = path.relative(places.top, hooks) || '.';
      advice.push({ name, advice: adviceFor(name, text, folder.startsWith('..') ? hooks : folder) });
      states.set(name, 'kept');
    } else if (isKept || (text === hookScript(name) && isExecutable(file))) {
      states.set(name, 'there');
    } else {
      writeScript(file, hookScript(name));
      states.set(name, 'installed');
    }
  }
  context.emit({
    hooks: states,
    driver: true,
    advice: advice.map(({ name, advice: one }) => ({ hook: name, ...one })),
  });
  report(context, states, advice);
  return advice.length > 0 ? EXIT.unsuccessful : EXIT.done;
}

function report(
  context: Context,
  states: ReadonlyMap<HookName, HookState>,
  advice: readonly { readonly name: HookName; readonly advice: Advice }[],
): void {
  for (const [name, state] of states) {
    if (state !== 'kept') context.print(`${name.padEnd(14)} ${HOOKS[name]}${state === 'there' ? ' (was there)' : ''}`);
  }
  context.print(`${'merge driver'.padEnd(14)} merges pipeline.lock entry by entry`);
  for (const { name, advice: one } of context.json ? [] : advice) {
    context.say(`error: there is a ${name} hook already, which stays as it is. Add to ${one.where}:`);
    for (const line of one.lines) context.say(`  ${line}`);
  }
}

function uninstall(context: Context, places: Places): number {
  const { git, hooks, run, attributes, project } = places;
  const others = projects(git).filter((one) => one !== project);
  git.ask('config', '--unset-all', 'dag.project');
  for (const other of others) git.do('config', '--add', 'dag.project', other);
  const removed: HookName[] = [];
  if (others.length === 0) {
    for (const name of HOOK_NAMES) {
      const file = path.join(hooks, name);
      if (!isOurs(textOf(file) ?? '')) continue;
      withIo('remove', file, () => fs.rmSync(file));
      removed.push(name);
    }
    git.ask('config', '--remove-section', `merge.${DRIVER}`);
    setAttributes(attributes, false);
    fs.rmSync(path.dirname(run), { recursive: true, force: true });
  }
  context.emit({ removed });
  if (others.length > 0) context.print(`Hooks and merge driver stay for ${others.join(', ')}.`);
  else context.print(removed.length > 0 ? `Took away: ${removed.join(', ')}, merge driver.` : 'There were no hooks.');
  return EXIT.done;
}

/** Folders of the projects that the hooks of a repository look after, from its top. */
function projects(git: Git): string[] {
  return git.ask('config', '--get-all', 'dag.project')?.split('\n').filter(Boolean) ?? [];
}

function placesOf(context: Context): Places {
  const root = requireRoot({ root: context.root, cwd: context.cwd, env: context.io.env });
  const git = gitIn(root);
  if (openRepository(root, context.io.env) === undefined) {
    throw new FailureError({
      code: 'usage',
      message: 'the project is in no git work tree',
      hint: "make a repository with 'git init'",
    });
  }
  const top = git.do('rev-parse', '--show-toplevel');
  const common = path.resolve(root, git.do('rev-parse', '--git-common-dir'));
  return {
    git,
    top,
    // Git's configuration may name another folder than its own.
    hooks: path.resolve(root, git.do('rev-parse', '--git-path', 'hooks')),
    run: path.join(common, 'dag', 'run'),
    attributes: path.join(common, 'info', 'attributes'),
    project: path.relative(fs.realpathSync(top), root).split(path.sep).join('/') || '.',
  };
}

function setAttributes(file: string, wanted: boolean): void {
  const text = textOf(file) ?? '';
  const others = text.split('\n').filter((line) => line !== ATTRIBUTES_LINE);
  const kept = others.join('\n');
  const next = wanted ? `${kept === '' || kept.endsWith('\n') ? kept : `${kept}\n`}${ATTRIBUTES_LINE}\n` : kept;
  if (next === text) return;
  withIo('write', file, () => {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, next);
  });
}

function writeScript(file: string, text: string): void {
  withIo('write', file, () => {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const temp = `${file}.${process.pid}`;
    fs.writeFileSync(temp, text, { mode: 0o755 });
    fs.chmodSync(temp, 0o755);
    fs.renameSync(temp, file);
  });
}

function textOf(file: string): string | undefined {
  return fs.existsSync(file) ? withIo('read', file, () => fs.readFileSync(file, 'utf8')) : undefined;
}

function isExecutable(file: string): boolean {
  return (fs.statSync(file).mode & 0o111) !== 0;
}
