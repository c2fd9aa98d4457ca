import type { Fetcher } from '@dag/engine';
import { FailureError } from '@dag/model';
import { sayPassedOver } from '../render/in-order.ts';
import type { Context } from '../verb.ts';
import { fetchInOrder } from './fetch-in-order.ts';
import type { OpenProject } from './open.ts';
import { defaultRemotes, openRemotes, remoteConfig, remotesOf } from './remotes.ts';
import { allTracked, type Tracked } from './tracked.ts';

/**
 * Remotes as the engine uses them: each is opened when first asked. What belongs to a remote of its own is looked for there,
 * all else, and run records, in the default ones in their order. Fails at once where a remote is not configured.
 */
export function remoteFetcher(context: Context, project: OpenProject, named: string | undefined): Fetcher {
  const defaults = named === undefined ? defaultRemotes(project, context) : [named];
  if (defaults.length === 0) remoteConfig(project, undefined);
  for (const name of defaults) remoteConfig(project, name);
  const opened = openRemotes(project, context);
  const told = new Set<string>();
  const onUnreachable = (error: FailureError): void => {
    if (told.has(error.message)) return;
    told.add(error.message);
    sayPassedOver(context, error);
  };
  let known: { readonly of: OpenProject['pipeline']; readonly byPath: ReadonlyMap<string, Tracked> } | undefined;
  const trackedAt = (path: string): Tracked | undefined => {
    if (known?.of !== project.pipeline) {
      const byPath = new Map(allTracked(project).map((tracked) => [tracked.path as string, tracked]));
      known = { of: project.pipeline, byPath };
    }
    return known.byPath.get(path);
  };
  return {
    fetch: async (roots, signal) => {
      const sought = roots.map(({ path, artifact }) => {
        const tracked = trackedAt(path) ?? {};
        return { path, artifact, remotes: remotesOf(project, context, tracked, named) };
      });
      if (sought.some(({ remotes }) => remotes.length === 0)) return false;
      const { failed } = await fetchInOrder(sought, {
        fetch: async (name, request) => await (await opened.get(name)).fetch(request, project.store, { signal }),
        isHere: (digest) => project.store.has(digest),
        onUnreachable,
      });
      return failed.length === 0;
    },
    findRuns: async (key) => {
      for (const name of defaults) {
        try {
          const found = await (await opened.get(name)).findRuns(key, { signal: context.stop });
          if (found.length > 0) return found;
        } catch (error) {
          if (!(error instanceof FailureError) || error.failure.code !== 'remote' || defaults.length === 1) throw error;
          onUnreachable(error);
        }
      }
      return [];
    },
  };
}
