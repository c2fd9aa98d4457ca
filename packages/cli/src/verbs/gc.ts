import fs from 'node:fs';
import path from 'node:path';
import { type OldCheckpoints, oldCheckpoints, removeCheckpoints } from '@dag/engine';
import { openRepository, withoutRepository } from '@dag/git';
import { type Digest, FailureError, isInside } from '@dag/model';
import type { RemovalPlan } from '@dag/remote';
import type { GcPlan, RunFile } from '@dag/store';
import { EXIT } from '../failure.ts';
import { positiveInteger } from '../options.ts';
import { linkedObjects } from '../project/linked.ts';
import { type OldLog, oldLogs } from '../project/old-logs.ts';
import { splitRuns } from '../project/old-runs.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { otherProjectRoots } from '../project/other-roots.ts';
import { readRemembered } from '../project/remembered.ts';
import {
  historyRoots,
  markLive,
  namesOf,
  type Revisions,
  type Root,
  recordRoots,
  repositoryOf,
  revisionRoots,
  sparseRoots,
  type Use,
  workspaceRoots,
} from '../project/roots.ts';
import { otherProjects, projectId } from '../project/sharing.ts';
import { allTracked } from '../project/tracked.ts';
import { bytesText, count } from '../render/units.ts';
import type { Context } from '../verb.ts';
import {
  concludeRemote,
  inTheirRemotes,
  isEmpty,
  planRemotes,
  type RemoteWork,
  remoteSummary,
  remotesOfGc,
  showRemote,
} from './gc-remote.ts';

interface Options {
  readonly workspace?: boolean;
  readonly allBranches?: boolean;
  readonly allTags?: boolean;
  readonly allCommits?: boolean;
  readonly num?: string;
  readonly date?: string;
  readonly projects?: readonly string[];
  readonly runs?: boolean;
  readonly cloud?: boolean;
  readonly remote?: string;
  readonly notInRemote?: boolean;
  readonly dry?: boolean;
  readonly force?: boolean;
}

export async function gc(context: Context, _positional: readonly string[], options: Options): Promise<number> {
  const revisions = scopeOf(options);
  checkRemoteOptions(options);
  const dry = options.dry ?? false;
  const project = await openProject(context, { mutates: !dry });
  const { store } = project;
  try {
    if (!dry && options.force !== true && !context.io.interactive) throw unconfirmed();
    const [unread] = project.unreadable;
    if (unread !== undefined) throw unlisted(unread);
    const collector = dry ? undefined : store.announceGc();
    try {
      await collector?.waitForWriters({
        onWait: (pid) => context.say(`waiting for a dag (pid ${pid}) that is writing into the cache`),
        signal: context.stop,
      });
      const work = await findWork(context, project, revisions, options, collector?.since);
      const remotes = await findRemoteWork(context, project, work, options);
      show(context, project, work, options);
      const isAll = dry || context.verbose;
      for (const remote of remotes) showRemote(context, remote, dry, isAll ? Number.POSITIVE_INFINITY : SHOWN_AT_MOST);
      const { plan, records } = work;
      const isNothing =
        plan.dead.size + records.length + work.logs.length + work.checkpoints.length === 0 &&
        remotes.every((one) => isEmpty(one.plan));
      const isAgreed = dry || isNothing || (await agreed(context, options));
      if (!isAgreed) {
        context.say('Nothing was removed.');
        return EXIT.unsuccessful;
      }
      const removed: { readonly name: string; readonly plan: RemovalPlan }[] = [];
      // A remote that can't be written ends it before anything is gone.
      for (const { name, plan, remove } of remotes) {
        removed.push({ name, plan: dry ? plan : await remove() });
      }
      if (!dry) {
        for (const { file } of records) store.runs.remove(file);
        for (const { file } of work.logs) fs.rmSync(file, { recursive: true, force: true });
        removeCheckpoints(project.root, work.checkpoints, { before: work.oldest, all: options.runs === true });
        await store.applyGc(plan, context.stop);
        for (const { file } of work.gone) fs.rmSync(file, { force: true });
      }
      conclude(context, work, dry, removed);
      return EXIT.done;
    } finally {
      collector?.end();
    }
  } finally {
    await project.close();
  }
}

interface Work {
  readonly plan: GcPlan;
  /** Run records that go. */
  readonly records: readonly RunFile[];
  /** What stages printed, and nobody needs to see again. */
  readonly logs: readonly OldLog[];
  /** Checkpoints of stages that were ended early. */
  readonly checkpoints: readonly OldCheckpoints[];
  /** Register entries of projects that are no longer there. */
  readonly gone: readonly { readonly root: string; readonly file: string }[];
  /** Roots that are none: they tell what the dead objects were. */
  readonly others: readonly Root[];
  /** What is needed: by the scope, by other projects, and by run records that stay. */
  readonly roots: readonly Root[];
  /** When the oldest run began that is kept for its age, in ms since 1970. */
  readonly oldest: number;
}

async function findWork(
  context: Context,
  project: OpenProject,
  revisions: Revisions,
  options: Options,
  since: bigint | undefined,
): Promise<Work> {
  const { store, root, pipeline } = project;
  const needsGit = Object.values(revisions).some((value) => value !== undefined && value !== false);
  const sharing = otherProjects(store, root);
  for (const gone of sharing.gone) context.say(`the project in ${gone.root} is no longer there; it keeps nothing`);
  const elsewhere = new Set([...sharing.projects, ...(options.projects ?? []).map((dir) => projectAt(context, dir))]);
  elsewhere.delete(root);
  const roots = workspaceRoots(root, pipeline.files);
  const { env } = context.io;
  if (needsGit) roots.push(...revisionRoots(repositoryOf(root, env), revisions));
  const own = openRepository(root, env);
  if (own !== undefined) roots.push(...sparseRoots(root, own));
  if (elsewhere.size > 0) {
    const repository = openRepository(root, withoutRepository(env));
    const asker = { repository, revisions, env, say: (text: string) => context.say(text) };
    for (const other of elsewhere) roots.push(...otherProjectRoots(other, asker));
  }
  const live = new Set<Digest>();
  for (const { path: lost, digest } of markLive(store, roots, live)) {
    const [suspect] = store.suspects(digest);
    if (suspect !== undefined) throw listingLost(lost, suspect);
    context.say(`warning: the listing of '${lost}' is not in the cache, so nothing keeps what was inside it`);
  }
  const linked = new Set<Digest>();
  for (const at of [root, ...elsewhere]) {
    const paths = roots.filter(({ from }) => from === (at === root ? undefined : at)).map((one) => one.path);
    if (at === root) paths.push(...allTracked(project).flatMap((one) => (isInside(one.path) ? [one.path] : [])));
    for (const digest of linkedObjects(at, [...paths, ...readRemembered(at).paths])) linked.add(digest);
  }
  for (const digest of linked) live.add(digest);
  const split = splitRuns(project, live, { dropRuns: options.runs === true, since, sharers: elsewhere });
  const { kept, old, foreign, oldest } = split;
  if (foreign > 0) {
    context.say(
      `${count(foreign, 'run record')} of other projects that share the cache stay${foreign === 1 ? 's' : ''}`,
    );
  }
  markLive(store, kept, live);
  const needed = [...roots, ...kept];
  if (options.notInRemote === true) {
    // What links lead to is the workspace itself.
    for (const digest of await inTheirRemotes(context, project, needed, options.remote)) {
      if (!linked.has(digest)) live.delete(digest);
    }
  }
  const now = since ?? BigInt(project.clock().getTime() + 1000) * 1_000_000n;
  const logs = oldLogs(store.dir, store.runs.files(), old, oldest);
  const checkpoints = oldCheckpoints(root, { before: oldest, all: options.runs === true });
  const others = [...(options.notInRemote === true ? needed : []), ...old.flatMap(namedBy)];
  return {
    plan: store.planGc(live, now),
    records: old,
    logs,
    checkpoints,
    gone: sharing.gone,
    others,
    roots: needed,
    oldest,
  };
}

/** What goes from remotes; nothing without -c. */
async function findRemoteWork(
  context: Context,
  project: OpenProject,
  { roots, others, oldest }: Work,
  options: Options,
): Promise<RemoteWork[]> {
  if (options.cloud !== true) return [];
  const names = remotesOfGc(context, project, options.remote);
  const named = [...historyRoots(project.root, context.io.env), ...others];
  const runs = { before: oldest, dropped: options.runs === true, project: projectId(project.root) };
  return await planRemotes(context, project, names, { roots, runs, names: named });
}

function checkRemoteOptions({ cloud, remote, notInRemote }: Options): void {
  const usage = (message: string, hint: string) => new FailureError({ code: 'usage', message, hint });
  if (cloud === true && notInRemote === true) {
    throw usage("-c and --not-in-remote can't be used together", 'first free the cache, then collect in the remote');
  }
  if (remote !== undefined && cloud !== true && notInRemote !== true) {
    throw usage('-r says which remote: it needs -c or --not-in-remote', 'without them gc leaves remotes alone');
  }
}

function unlisted(folder: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `'${folder}' may not be listed: what is tracked in it can't be told, and nothing is removed`,
    hint: 'run gc as someone who may, or name it in .dagignore where it holds no pipeline.yaml',
  });
}

function listingLost(folder: string, suspect: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `the listing of '${folder}' is lost, maybe with ${suspect}, and what it names can't be told: nothing is removed`,
    hint: `get it again with 'dag fetch', or make it again with 'dag repro -f' or 'dag add'; where its files may go, remove ${suspect}`,
  });
}

function namedBy({ record }: RunFile): Root[] {
  return record === undefined ? [] : recordRoots(record);
}

/** Lists what goes, by the paths that used it last; all of it with --dry, -v or --json. */
function show(context: Context, project: OpenProject, work: Work, options: Options): void {
  showCheckpoints(context, project, work, options);
  const { plan, others } = work;
  if (plan.dead.size === 0) return;
  const history = historyRoots(project.root, context.io.env);
  const names = namesOf(project.store, [...history, ...others], new Set(plan.dead.keys()));
  const lines: string[] = [];
  for (const [digest, size] of plan.dead) {
    const use: Use | undefined = names.get(digest)?.[0];
    const { path: at = null, kind = 'unknown', from = null } = use ?? {};
    context.emit({ event: options.dry === true ? 'would-remove' : 'remove', digest, size, path: at, kind, from });
    const name = use === undefined ? digest.slice(0, 19) : `${use.path}${use.kind === 'folder' ? '/' : ''}`;
    lines.push(`${bytesText(size).padStart(7)}  ${name}${from === null ? '' : `  (${from})`}`);
  }
  const isAll = options.dry === true || context.verbose;
  const shown = isAll ? lines.length : SHOWN_AT_MOST;
  for (const line of lines.slice(0, shown)) context.print(line);
  if (lines.length > shown) context.print(`and ${lines.length - shown} more; --dry lists them all`);
}

function showCheckpoints(context: Context, { root }: OpenProject, { checkpoints }: Work, { dry }: Options): void {
  for (const { folder, stage = null, bytes } of checkpoints) {
    const at = path.relative(root, folder);
    const what = { path: at, kind: 'checkpoint', from: stage } as const;
    context.emit({ event: dry === true ? 'would-remove' : 'remove', digest: null, size: bytes, ...what });
    const of = stage === null ? '' : ` of stage '${stage}'`;
    context.print(`${bytesText(bytes).padStart(7)}  checkpoints${of}  (${at})`);
  }
}

const SHOWN_AT_MOST = 20;

function conclude(
  context: Context,
  { plan, records, logs, checkpoints }: Work,
  dry: boolean,
  remotes: readonly { readonly name: string; readonly plan: RemovalPlan }[],
): void {
  const { kept } = plan;
  const beyond = [...logs.map(({ size }) => size), ...checkpoints.map((one) => one.bytes)];
  const bytes = plan.bytes + beyond.reduce((sum, size) => sum + size, 0);
  const objects = plan.dead.size;
  const summary = {
    objects,
    bytes,
    failed: [],
    runs: records.length,
    logs: logs.length,
    checkpoints: checkpoints.length,
    kept,
    dry,
  };
  const inRemotes = remotes.map((one) => remoteSummary(one.name, one.plan));
  context.emit({ event: 'summary', ...summary, ...(remotes.length === 0 ? {} : { remotes: inRemotes }) });
  const beside = [
    records.length === 0 ? [] : count(records.length, 'run record'),
    logs.length === 0 ? [] : count(logs.length, 'log'),
    checkpoints.length === 0 ? [] : count(checkpoints.length, 'checkpoint folder'),
  ];
  const runs = beside
    .flat()
    .map((what) => ` and ${what}`)
    .join('');
  const stay = `${count(kept.objects, 'object')}, ${bytesText(kept.bytes)}, ${dry ? 'would stay' : 'stay'}`;
  if (objects + records.length + logs.length + checkpoints.length === 0) context.print(`Nothing to remove; ${stay}.`);
  else
    context.print(`${count(objects, 'object')}${runs} ${dry ? 'would be ' : ''}removed, ${bytesText(bytes)}; ${stay}.`);
  for (const { name, plan: inRemote } of remotes) concludeRemote(context, name, inRemote, dry);
}

async function agreed(context: Context, options: Options): Promise<boolean> {
  if (options.force === true) return true;
  const answer = await context.io.ask(
    options.cloud === true ? 'Remove this? [y/N] ' : 'Remove this from the cache? [y/N] ',
  );
  return /^y(es)?$/i.test(answer.trim());
}

function scopeOf(options: Options): Revisions {
  const { workspace, allBranches, allTags, allCommits, num, date } = options;
  const named = [workspace, allBranches, allTags, allCommits, num, date];
  if (named.every((one) => one === undefined)) {
    throw new FailureError({
      code: 'usage',
      message: 'gc needs to be told what to keep',
      hint: 'give a scope: -w (workspace), -a (all branches), -T (all tags), -A (all commits), -n N (last N commits), --date D (commits since D)',
    });
  }
  return {
    ...(allBranches === undefined ? {} : { branches: allBranches }),
    ...(allTags === undefined ? {} : { tags: allTags }),
    ...(allCommits === undefined ? {} : { commits: allCommits }),
    ...(num === undefined ? {} : { back: positiveInteger('--num', num) }),
    ...(date === undefined ? {} : { since: dateOf(date) }),
  };
}

function dateOf(text: string): Date {
  const date = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00` : text);
  if (/^\d{4}-\d{2}-\d{2}/.test(text) && !Number.isNaN(date.getTime())) return date;
  throw new FailureError({ code: 'usage', message: `--date takes a day like 2026-01-31, not '${text}'` });
}

function projectAt(context: Context, dir: string): string {
  const folder = path.resolve(context.cwd, dir);
  if (fs.existsSync(path.join(folder, 'pipeline.yaml'))) return fs.realpathSync(folder);
  throw new FailureError({ code: 'usage', message: `--projects: there is no pipeline.yaml in '${dir}'` });
}

function unconfirmed(): FailureError {
  return new FailureError({
    code: 'refused',
    message: 'nothing was removed: there is no terminal to ask on',
    hint: 'look with --dry, then confirm with -f',
  });
}
