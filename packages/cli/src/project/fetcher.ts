import type { Fetcher } from '@dag/engine';
import type { Remote } from '@dag/remote';
import type { Context } from '../verb.ts';
import type { OpenProject } from './open.ts';
import { defaultRemote, openNamedRemote, remoteConfig } from './remotes.ts';

/** A remote as the engine uses it: opened when first asked. Fails at once where no such remote is configured. */
export function remoteFetcher(context: Context, project: OpenProject, named: string | undefined): Fetcher {
  const name = named ?? defaultRemote(project, context);
  remoteConfig(project, name);
  let opened: Promise<Remote> | undefined;
  const remote = (): Promise<Remote> => {
    opened ??= openNamedRemote(project, context, name);
    return opened;
  };
  return {
    fetch: async (roots, signal) => {
      const report = await (await remote()).fetch({ roots }, project.store, { signal });
      return report.failed.length === 0;
    },
    findRuns: async (key) => await (await remote()).findRuns(key, { signal: context.stop }),
  };
}
