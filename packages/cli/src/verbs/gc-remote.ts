import { type Digest, groupBy } from '@dag/model';
import type { Remote, RemoteObject, RemovalPlan, RemovalRequest } from '@dag/remote';
import type { OpenProject } from '../project/open.ts';
import { homeOf, openNamedRemote, remoteConfig, remotesOf } from '../project/remotes.ts';
import { markLive, type Root } from '../project/roots.ts';
import { allTracked } from '../project/tracked.ts';
import { transferProgress } from '../render/progress.ts';
import { bytesText, count } from '../render/units.ts';
import type { Context } from '../verb.ts';

/** A remote from which something may go. */
export interface RemoteWork {
  readonly name: string;
  readonly plan: RemovalPlan;
  /** Does it. */
  readonly remove: () => Promise<RemovalPlan>;
}

/** The remotes that a gc is about: the one that was named, else all that something tracked is sent to. */
export function remotesOfGc(context: Context, project: OpenProject, named: string | undefined): string[] {
  if (named !== undefined) return [remoteConfig(project, named).name];
  const cached = allTracked(project).filter(({ cache }) => cache);
  const homes = [{}, ...cached].map((one) => homeOf(project, remotesOf(project, context, one, undefined)));
  const names = [...new Set(homes)].filter((name) => name !== undefined);
  if (names.length === 0) remoteConfig(project, undefined);
  return names.map((name) => remoteConfig(project, name).name);
}

/** Finds out what of remotes nothing needs. All of them are looked at before anything is removed anywhere. */
export async function planRemotes(
  context: Context,
  project: OpenProject,
  names: readonly string[],
  request: RemovalRequest,
): Promise<RemoteWork[]> {
  const works: RemoteWork[] = [];
  for (const name of names) {
    const plan = await withRemote(context, project, name, (remote, options) =>
      remote.planRemoval(request, project.store, options),
    );
    const remove = () =>
      withRemote(context, project, name, (remote, options) => remote.remove(request, project.store, options));
    works.push({ name, plan, remove });
  }
  return works;
}

async function withRemote<T>(
  context: Context,
  project: OpenProject,
  name: string,
  work: (remote: Remote, options: Parameters<Remote['remove']>[2]) => Promise<T>,
): Promise<T> {
  const remote = await openNamedRemote(project, context, name);
  const progress = transferProgress(context, name);
  try {
    return await work(remote, { signal: context.stop, onEvent: progress.event });
  } finally {
    progress.end();
    remote.close();
  }
}

/** Whether a plan changes anything. */
export function isEmpty({ marks, removes, packs, records, checkpoints, copied }: RemovalPlan): boolean {
  return marks.length + removes.length + packs.count + records + checkpoints.runs + copied === 0;
}

/** Lists what goes from a remote, by the paths that used it last. */
export function showRemote(context: Context, { name, plan }: RemoteWork, dry: boolean, atMost: number): void {
  if (plan.marks.length + plan.removes.length > 0) context.print(`In the remote '${name}':`);
  const list = (some: readonly RemoteObject[], event: string, word: string) => {
    const lines = some.map((object) => {
      const { digest, size, use } = object;
      const { path = null, kind = 'unknown', from = null } = use ?? {};
      context.emit({ event: `${dry ? 'would-' : ''}${event}`, remote: name, digest, size, path, kind, from });
      return `${bytesText(size).padStart(7)}  ${word}  ${nameOf(object)}${from === null ? '' : `  (${from})`}`;
    });
    for (const line of lines.slice(0, atMost)) context.print(line);
    if (lines.length > atMost) context.print(`and ${lines.length - atMost} more; --dry lists them all`);
  };
  list(plan.marks, 'mark', 'to mark');
  list(plan.removes, 'remove', 'to delete');
}

function nameOf({ digest, use }: RemoteObject): string {
  if (use === undefined) return digest.slice(0, 19);
  return `${use.path}${use.kind === 'folder' ? '/' : ''}`;
}

/** Says what was done to a remote, or would be, and what is next. */
export function concludeRemote(context: Context, name: string, plan: RemovalPlan, dry: boolean): void {
  const { marks, removes, waiting, due, kept, packs, unnamed, records, checkpoints } = plan;
  const amount = (objects: number, bytes: number) => `${count(objects, 'object')}, ${bytesText(bytes)}`;
  const of = (some: readonly RemoteObject[]) =>
    amount(
      some.length,
      some.reduce((sum, { size }) => sum + size, 0),
    );
  const would = dry ? 'would be ' : '';
  const stay = `${amount(kept.objects, kept.bytes)}, ${dry ? 'would stay' : 'stay'}`;
  const done: string[] = [];
  if (removes.length + packs.count > 0) {
    done.push(`${of(removes)}, ${would}deleted: ${count(packs.count, 'pack')}, ${bytesText(packs.bytes)}`);
  }
  if (records > 0) done.push(`${count(records, 'run record')} ${would}removed`);
  if (checkpoints.runs > 0) {
    const bytes = bytesText(checkpoints.bytes);
    done.push(`checkpoints of ${count(checkpoints.runs, 'unfinished run')}, ${bytes}, ${would}removed`);
  }
  if (marks.length > 0) done.push(`${of(marks)}, ${would}marked`);
  context.print(`${name}: ${done.length === 0 ? 'nothing to remove' : done.join('; ')}; ${stay}.`);
  if (waiting.objects > 0) context.print(`${name}: ${amount(waiting.objects, waiting.bytes)}, marked before.`);
  if (unnamed.count > 0) {
    context.print(
      `${name}: ${count(unnamed.count, 'pack')}, ${bytesText(unnamed.bytes)}, that no index names: left by pushes that died.`,
    );
  }
  if (due !== undefined && !dry) context.print(`What is marked goes with a 'dag gc -c' from ${dayAndTime(due)} on.`);
  if (plan.pushing !== undefined) {
    context.say(
      `a push that began at ${dayAndTime(plan.pushing)} has not ended: nothing new is marked until it has, or is a day old`,
    );
  }
  if (plan.lost > 0) {
    context.say(
      `warning: ${count(plan.lost, 'pack')} of '${name}' hold what is needed, and no index names them: they stay; 'dag fsck -r ${name}' gets them back`,
    );
  }
}

/** What is added to the summary under --json. */
export function remoteSummary(name: string, plan: RemovalPlan) {
  const { marks, removes, waiting, due, kept, packs, unnamed, records, checkpoints, pushing, lost } = plan;
  const bytes = (some: readonly RemoteObject[]) => some.reduce((sum, { size }) => sum + size, 0);
  return {
    remote: name,
    marked: { objects: marks.length, bytes: bytes(marks) },
    removed: { objects: removes.length, bytes: bytes(removes), packs: packs.count, stored: packs.bytes },
    waiting,
    due: due === undefined ? null : new Date(due).toISOString(),
    kept,
    unnamed_packs: { packs: unnamed.count, stored: unnamed.bytes },
    runs: records,
    checkpoints,
    pushing: pushing === undefined ? null : new Date(pushing).toISOString(),
    lost_packs: lost,
  };
}

function dayAndTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Objects in the cache that are to be had again from where the paths that use them are looked for: their copies here can go. */
export async function inTheirRemotes(
  context: Context,
  project: OpenProject,
  roots: readonly Root[],
  named: string | undefined,
): Promise<Set<Digest>> {
  if (named !== undefined) remoteConfig(project, named);
  const tracked = new Map(allTracked(project).map((one) => [one.path as string, one]));
  const placesOf = ({ path }: Root) => remotesOf(project, context, tracked.get(path) ?? {}, named);
  const there = new Set<Digest>();
  const lacking = new Set<Digest>();
  for (const some of groupBy(roots, (root) => placesOf(root).join(',')).values()) {
    const names = some[0] === undefined ? [] : placesOf(some[0]);
    if (names.length === 0 && named === undefined) remoteConfig(project, undefined);
    const wanted = new Set<Digest>();
    markLive(project.store, some, wanted);
    const found = new Set<Digest>();
    for (const name of names) {
      const here = await withRemote(context, project, name, (remote, options) => remote.presence(wanted, options));
      for (const digest of here) found.add(digest);
    }
    for (const digest of wanted) (found.has(digest) ? there : lacking).add(digest);
  }
  for (const digest of lacking) there.delete(digest);
  return there;
}
