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
    const { path, artifact } = item;
    const remotes = remotesOf(project, context, item, named);
    if (remotes.length === 0) {
      if (named === undefined) remoteConfig(project, undefined);
      return [];
    }
    const here = project.store.isComplete(artifact);
    return [{ path, digest: artifact.digest, here, asked: here ? [homeOf(project, remotes) ?? ''] : remotes }];
  });
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
    for (const { path, digest, here, asked } of items) {
      const sent = asked.some((name) => there.get(name)?.has(digest) === true);
      if (here && !sent) states.set(path, 'new');
      else if (!here) states.set(path, sent ? 'deleted' : 'missing');
    }
  } finally {
    await opened.close();
  }
  return new Map([...states].sort());
}

/** A remote that can't be asked for a list may have more than it is known to have. */
function sayAsOf(context: Context, remote: Remote): void {
  const at = remote.asOf();
  if (at === undefined) return;
  const time = new Date(at).toISOString().slice(0, 16).replace('T', ' ');
  context.say(`note: what is in the remote '${remote.name}' is told by its list of ${time} UTC`);
}
