import { type Artifact, groupBy, isWithin, type ObjectFailure, type ProjectPath, type RunRecord } from '@dag/model';
import type { Remote } from '@dag/remote';
import type { CheckoutReport } from '@dag/workspace';
import { EXIT, failureText } from '../failure.ts';
import { positiveInteger } from '../options.ts';
import { type FetchedInOrder, fetchInOrder } from '../project/fetch-in-order.ts';
import { type OpenProject, openProject } from '../project/open.ts';
import { defaultRemotes, homeOf, openNamedRemote, openRemotes, remoteConfig, remotesOf } from '../project/remotes.ts';
import { historyEnd, repositoryOf } from '../project/roots.ts';
import { allTracked, objectsFailure, type Picked, pickTracked, type Tracked } from '../project/tracked.ts';
import { trackedThen } from '../project/tracked-then.ts';
import { fromText, sayPassedOver, saySpared } from '../render/in-order.ts';
import { transferProgress } from '../render/progress.ts';
import { bytesText, count } from '../render/units.ts';
import type { Context } from '../verb.ts';
import { changes, checkOut, exitOf, showReport } from './checkout.ts';

interface Options {
  readonly remote?: string;
  readonly jobs?: string;
  readonly withDeps?: boolean;
  readonly recursive?: boolean;
  readonly allBranches?: boolean;
  readonly allTags?: boolean;
  readonly allCommits?: boolean;
  readonly runCache?: boolean;
  readonly allowMissing?: boolean;
  readonly force?: boolean;
}

/** What went over the wire, of all remotes together. */
interface Moved {
  readonly objects: number;
  readonly bytes: number;
  readonly records: number;
  /** Bytes that the remotes had to store for it; undefined where nothing is stored there. */
  readonly stored?: number | undefined;
  readonly failed: readonly ObjectFailure[];
  /** Where it was sent, where that is not plain: one of several default remotes. */
  readonly to?: string;
  /** What came from which remote, where that can be told. */
  readonly from?: FetchedInOrder['from'];
}

export async function push(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { targets });
  try {
    const picked = pickTracked(project, targets, options).filter(({ tracked }) => tracked.push);
    const records = options.runCache === true ? [...project.store.runs.list()] : [];
    const unrecorded = sayUnrecorded(context, picked);
    const parts = partsOf(context, project, picked, targets, options);
    const moved = await send(context, project, parts, records, options);
    const status = conclude(context, 'push', 'sent', moved, options, 'Everything is up to date.');
    return unrecorded && options.allowMissing !== true ? EXIT.unsuccessful : status;
  } finally {
    await project.close();
  }
}

/** Names what pipeline.lock says nothing of, so that nothing can be sent of it; true where that is tracked data. */
function sayUnrecorded(context: Context, picked: readonly Picked[]): boolean {
  let data = false;
  for (const { tracked } of picked) {
    if (tracked.artifact !== undefined || !tracked.cache) continue;
    const isData = tracked.kind === 'data';
    data ||= isData;
    const message = `'${tracked.path}' is not in pipeline.lock: nothing is sent of it`;
    const hint = isData ? `record it with 'dag add ${tracked.path}'` : "make it with 'dag repro'";
    if (!context.json) context.say(`${isData ? 'error' : 'warning'}: ${message}\n  ${hint}`);
    else if (isData) context.emit({ event: 'error', code: 'refused', message, path: tracked.path, hint });
    else context.emit({ event: 'warning', message, path: tracked.path, hint });
  }
  return data;
}

export async function fetch(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { targets, mutates: true });
  try {
    return conclude(context, 'fetch', 'fetched', await bring(context, project, targets, options), options);
  } finally {
    await project.close();
  }
}

export async function pull(context: Context, targets: readonly string[], options: Options): Promise<number> {
  const project = await openProject(context, { targets, mutates: true });
  try {
    const moved = await bring(context, project, targets, options);
    const report = await checkOut(context, project, targets, { ...options, allowMissing: true });
    showReport(context, report, {});
    const failed =
      options.allowMissing === true
        ? []
        : uniqueFailures([...moved.failed, ...expected(project, [...report.missing, ...report.failed])]);
    const { objects, bytes, records } = moved;
    const status = exitOf(context, project, { ...report, failed: [] });
    if (failed.length > 0 && !context.json) {
      const { failure } = objectsFailure('pull', failed, 'what never was pushed can only be made again: dag repro');
      context.io.err(failureText(failure, context.io.colour.err));
    }
    if (objects > 0 || records > 0) context.print(totals('fetched', moved));
    else if (failed.length === 0 && changedPaths(report) === 0) context.print('Everything is up to date.');
    context.emit({ event: 'summary', objects, bytes, records, failed, ...changes(report) });
    return failed.length > 0 ? EXIT.unsuccessful : status;
  } finally {
    await project.close();
  }
}

type Transfer = Parameters<Remote['push']>[2];

async function bring(
  context: Context,
  project: OpenProject,
  targets: readonly string[],
  options: Options,
): Promise<Moved> {
  const picked = pickTracked(project, targets, options).filter(({ tracked }) => tracked.push);
  const parts = partsOf(context, project, picked, targets, options).filter(
    ({ remotes }) => remotes.length > 0 || options.remote === undefined,
  );
  const defaults = options.remote === undefined ? defaultRemotes(project, context) : [options.remote];
  if (parts.length === 0 || options.runCache === true) remoteConfig(project, defaults[0]);
  for (const names of [defaults, ...parts.map(({ remotes }) => remotes)]) {
    for (const name of names) remoteConfig(project, name);
    if (names.length === 0 && names !== defaults) remoteConfig(project, undefined);
  }
  const opened = openRemotes(project, context);
  try {
    const report = await fetchInOrder(parts, {
      fetch: async (name, request) => {
        const { transfer, end } = transferOf(context, options, name, 'fetch');
        try {
          return await (await opened.get(name)).fetch(request, project.store, transfer);
        } finally {
          end();
        }
      },
      isHere: (digest) => project.store.has(digest),
      onUnreachable: (error) => sayPassedOver(context, error),
    });
    saySpared(context, report.spared);
    let records = 0;
    if (options.runCache === true) {
      for (const name of defaults) {
        const { transfer, end } = transferOf(context, options, name, 'fetch');
        const remote = await opened.get(name);
        const found = await fetchRecords(project, remote, transfer).finally(end);
        if (found === 0 && !remote.writable && context.verbose) {
          context.say(`remote '${name}' is only read: run records that are not written down there are not seen`);
        }
        records += found;
      }
    }
    return { ...report, records };
  } finally {
    await opened.close();
  }
}

/** So many run records are made durable together. */
const RECORDS_AT_ONCE = 500;

/** Brings the run records that are not here yet; what they name comes when a stage is restored from them. */
async function fetchRecords(project: OpenProject, remote: Remote, transfer: Transfer): Promise<number> {
  let fetched = 0;
  let waiting: RunRecord[] = [];
  const keep = async (): Promise<void> => {
    await project.store.runs.putAll(waiting);
    fetched += waiting.length;
    waiting = [];
  };
  for await (const key of remote.listRuns(transfer)) {
    if (project.store.runs.find(key).length > 0) continue;
    waiting.push(...(await remote.findRuns(key, transfer)));
    if (waiting.length >= RECORDS_AT_ONCE) await keep();
  }
  await keep();
  return fetched;
}

/** Something that is to be moved. */
interface Part {
  readonly path: string;
  readonly artifact: Artifact;
  readonly inside?: string | undefined;
  /** Where it is looked for, in order; nowhere, where it belongs to another remote than the one that was named. */
  readonly remotes: readonly string[];
}

/** What was picked, as the locks of the workspace have it, and as those of the revisions have it that are asked for. */
function partsOf(
  context: Context,
  project: OpenProject,
  picked: readonly Picked[],
  targets: readonly string[],
  { remote: named, allBranches, allTags, allCommits }: Options,
): Part[] {
  const remotes = (tracked: Pick<Tracked, 'remote'>) => remotesOf(project, context, tracked, named);
  const now = picked.flatMap(({ tracked, inside }): Part[] => {
    const { path, artifact, cache } = tracked;
    return cache && artifact !== undefined ? [{ path, artifact, inside, remotes: remotes(tracked) }] : [];
  });
  const revisions = { branches: allBranches === true, tags: allTags === true, commits: allCommits === true };
  if (!Object.values(revisions).includes(true)) return now;
  const repository = repositoryOf(project.root, context.io.env);
  const end = historyEnd(repository, revisions);
  if (end !== undefined) {
    context.say(`warning: this clone is shallow, so nothing is known of commits before ${end.slice(0, 7)}`);
  }
  const then = trackedThen(repository, revisions, project.root);
  const wanted = groupBy(picked, ({ tracked }) => tracked.path as string);
  const all = [{ inside: undefined }];
  return [
    ...now,
    ...then
      .filter(({ push }) => push)
      .flatMap((one) =>
        (targets.length === 0 ? all : (wanted.get(one.path) ?? [])).map(({ inside }) => ({
          path: one.path,
          artifact: one.artifact,
          inside,
          remotes: remotes(one),
        })),
      ),
  ];
}

const KEPT = {
  fetch: 'have come and are kept',
  push: 'have been sent, all but the last 256 MB of it for good',
};

/** What moves at once, and where the user sees how far it is; and, when it is interrupted, what is kept. */
function transferOf(context: Context, { jobs }: Options, remote: string, way: keyof typeof KEPT) {
  const progress = transferProgress(context, remote);
  const most = jobs === undefined ? {} : { jobs: positiveInteger('--jobs', jobs) };
  const transfer = { ...most, signal: context.stop, onEvent: progress.event };
  const end = (): void => {
    progress.end();
    if (!context.stop.aborted || progress.moved() === 0) return;
    context.say(`${bytesText(progress.moved())} ${KEPT[way]}: the same command goes on from there`);
  };
  return { transfer, end };
}

/** Sends each part to the remote that it belongs to, and run records to the default one. */
async function send(
  context: Context,
  project: OpenProject,
  parts: readonly Part[],
  records: readonly RunRecord[],
  options: Options,
): Promise<Moved> {
  const standard = options.remote ?? homeOf(project, defaultRemotes(project, context));
  const wanted = parts.filter(({ remotes }) => remotes.length > 0 || options.remote === undefined);
  const groups = groupBy(wanted, ({ remotes }) => homeOf(project, remotes));
  if (records.length > 0 && !groups.has(standard)) groups.set(standard, []);
  if (groups.size === 0) remoteConfig(project, standard);
  for (const name of groups.keys()) remoteConfig(project, name);
  const choice = options.remote === undefined && defaultRemotes(project, context).length > 1;
  const to = choice ? { to: [...groups.keys()].map((name) => `'${name}'`).join(' and ') } : {};
  let total: Moved = { objects: 0, bytes: 0, records: 0, failed: [], ...to };
  for (const [name, items] of groups) {
    const remote = await openNamedRemote(project, context, name);
    const { transfer, end } = transferOf(context, options, remote.name, 'push');
    try {
      const roots = items.map(({ path, artifact }) => ({ path, artifact }));
      const own = name === standard ? records : [];
      const report = await remote.push({ roots, records: own }, project.store, transfer);
      total = {
        ...total,
        objects: total.objects + report.objects,
        bytes: total.bytes + report.bytes,
        records: total.records + report.records,
        stored: (total.stored ?? 0) + report.stored,
        failed: [...total.failed, ...report.failed],
      };
    } finally {
      end();
      remote.close();
    }
  }
  return total;
}

/** Failures without those of paths that are never pushed, and so are nowhere to be had. */
function expected(project: OpenProject, failed: readonly ObjectFailure[]): ObjectFailure[] {
  const local = allTracked(project).filter((tracked) => !tracked.push);
  return failed.filter(({ path }) => !local.some((tracked) => isWithin(tracked.path, path as ProjectPath)));
}

function changedPaths({ added, modified, deleted }: CheckoutReport): number {
  return added.length + modified.length + deleted.length;
}

function conclude(
  context: Context,
  verb: string,
  done: string,
  moved: Moved,
  options: Options,
  nothing = 'Everything is up to date.',
): number {
  const { objects, bytes, records, stored } = moved;
  const failed = options.allowMissing === true ? [] : uniqueFailures(moved.failed);
  context.emit({ event: 'summary', objects, bytes, records, stored, failed });
  if (failed.length > 0 && !context.json) {
    const { failure } = objectsFailure(verb, failed, HINTS[verb]);
    context.io.err(failureText(failure, context.io.colour.err));
  }
  if (objects > 0 || records > 0) context.print(totals(done, moved));
  else if (failed.length === 0) context.print(nothing);
  return failed.length > 0 ? EXIT.unsuccessful : EXIT.done;
}

const HINTS: Readonly<Record<string, string>> = {
  push: "what is neither here nor there can be made again with 'dag repro', or stored with 'dag commit'",
  fetch: 'what never was pushed can only be made again: dag repro',
};

/** What of the bytes need not be spared to be worth a word. */
const NEARLY_ALL = 0.9;

function totals(done: string, { objects, bytes, records, stored, from, to }: Moved): string {
  const runs = records > 0 ? `, ${count(records, 'run record')}` : '';
  const spared = stored !== undefined && stored < bytes * NEARLY_ALL;
  const size = spared ? `${bytesText(bytes)}, of which ${bytesText(stored)} had to be stored there` : bytesText(bytes);
  const place = to === undefined ? '' : ` to ${to}`;
  return `${count(objects, 'object')} ${done}${place}, ${size}${runs}${fromText(from)}.`;
}

function uniqueFailures(failed: readonly ObjectFailure[]): ObjectFailure[] {
  return [...new Map([...failed].reverse().map((failure) => [`${failure.path}\0${failure.digest}`, failure])).values()];
}
