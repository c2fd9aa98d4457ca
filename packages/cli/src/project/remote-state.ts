import type { Digest, ProjectPath } from '@dag/model';
import type { Remote } from '@dag/remote';
import type { Context } from '../verb.ts';
import type { OpenProject } from './open.ts';
import { homeOf, openRemotes, remoteConfig, remotesOf } from './remotes.ts';
import type { Tracked } from './tracked.ts';

/** Where content is: in the cache only, in a remote only, or in neither. */
export type RemoteState = 'new' | 'deleted' | 'missing';

/**
 * Where what the lock names is: in the cache only, in a remote only, or in neither; what is in both is left out. What is here is
 * looked for where push sends it, what is not wherever fetch looks.
 */
export async function remoteState(
  project: OpenProject,
  context: Context,
  tracked: readonly Tracked[],
  named: string | undefined,
): Promise<Map<ProjectPath, RemoteState>> {
  const states = new Map<ProjectPath, RemoteState>();
  const items = tracked.flatMap((item) => {
    if (!item.cache || !item.push || item.artifact === undefined) return [];
    return [{ item, path: item.path, digest: item.artifact.digest }];
  });
  for (const { path, here, sent } of await lookedFor(project, context, items, named)) {
    if (here && !sent) states.set(path, 'new');
    else if (!here) states.set(path, sent ? 'deleted' : 'missing');
  }
  return new Map([...states].sort());
}

/** Content that is looked for in remotes: that of a tracked path, or of something inside it. */
export interface Sought {
  readonly item: Tracked;
  readonly digest: Digest;
}

/**
 * Looks for content in remotes, with few requests to each. What belongs to something that is here is looked for where push sends
 * it, all else wherever fetch looks. What belongs to no remote that was named is left out.
 */
export async function lookedFor<T extends Sought>(
  project: OpenProject,
  context: Context,
  sought: readonly T[],
  named: string | undefined,
): Promise<(T & { readonly here: boolean; readonly sent: boolean })[]> {
  const places = new Map<Tracked, { readonly here: boolean; readonly asked: readonly string[] }>();
  for (const item of new Set(sought.map((one) => one.item))) {
    const remotes = remotesOf(project, context, item, named);
    if (remotes.length === 0) {
      if (named === undefined) remoteConfig(project, undefined);
      continue;
    }
    const here = item.artifact !== undefined && project.store.isComplete(item.artifact);
    places.set(item, { here, asked: here ? [homeOf(project, remotes) ?? ''] : remotes });
  }
  const items = sought.flatMap((one) => {
    const place = places.get(one.item);
    return place === undefined ? [] : [{ ...one, ...place }];
  });
  const there = await presences(project, context, items);
  return items.map((one) => ({ ...one, sent: one.asked.some((name) => there.get(name)?.has(one.digest) === true) }));
}

async function presences(
  project: OpenProject,
  context: Context,
  items: readonly { readonly digest: Digest; readonly asked: readonly string[] }[],
): Promise<Map<string, ReadonlySet<Digest>>> {
  const opened = openRemotes(project, context);
  try {
    const there = new Map<string, ReadonlySet<Digest>>();
    for (const name of new Set(items.flatMap(({ asked }) => asked))) {
      const digests = items.filter(({ asked }) => asked.includes(name)).map(({ digest }) => digest);
      const remote = await opened.get(name);
      const found = await remote.presence(digests, { signal: context.stop });
      there.set(name, found);
      if (digests.some((digest) => !found.has(digest))) sayAsOf(context, remote);
    }
    return there;
  } finally {
    await opened.close();
  }
}

/** A remote that can't be asked for a list may have more than it is known to have. */
function sayAsOf(context: Context, remote: Remote): void {
  const at = remote.asOf();
  if (at === undefined) return;
  const time = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  context.say(`note: what is in the remote '${remote.name}' is told by its list of ${time} UTC`);
}
