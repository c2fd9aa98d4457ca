import type { FetchItem, Originals } from '@dag/engine';
import { type Failure, FailureError } from '@dag/model';
import { openStore } from '@dag/store';
import { openWorkspace } from '@dag/workspace';
import { remoteFetcher } from '../project/fetcher.ts';
import type { OpenProject } from '../project/open.ts';
import { defaultRemotes } from '../project/remotes.ts';
import type { Context } from '../verb.ts';

/**
 * Content from the project's cache; what that lacks from its remotes, into a cache beside it that goes away with `dir`: the
 * project's own stays as it is.
 */
export function openOriginals(
  context: Context,
  home: OpenProject,
  { dir, remote }: { readonly dir: string; readonly remote: string | undefined },
): Originals {
  const fetched = openStore({ dir });
  const hasRemote = remote !== undefined || defaultRemotes(home, context).length > 0;
  const fetcher = hasRemote ? remoteFetcher(context, { ...home, store: fetched }, remote) : undefined;
  let failure: Failure | undefined;
  return {
    bring: async (items, root) => {
      const isHere = ({ artifact }: FetchItem) => home.store.isComplete(artifact);
      const absent = items.filter((item) => !isHere(item) && !fetched.isComplete(item.artifact));
      for (const item of absent) await fetch(item);
      const missing = absent.filter(({ artifact }) => !fetched.isComplete(artifact));
      const come = items.filter((item) => !missing.includes(item));
      const failed = [
        ...(await place(home.store, come.filter(isHere), root)),
        ...(await place(
          fetched,
          come.filter((item) => !isHere(item)),
          root,
        )),
      ];
      return [...missing.map((item) => item.path), ...failed];
    },
    failure: () => failure,
    records: async (key) => {
      const own = home.store.runs.find(key);
      return own.length > 0 ? own : ((await unlessOutOfReach(() => fetcher?.findRuns(key))) ?? []);
    },
  };

  async function fetch(item: FetchItem): Promise<void> {
    await unlessOutOfReach(() => fetcher?.fetch([item], context.stop));
  }

  /** Asks the remote, if it could be asked so far. */
  async function unlessOutOfReach<T>(ask: () => Promise<T> | undefined): Promise<T | undefined> {
    if (failure !== undefined) return undefined;
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof FailureError) || error.failure.code !== 'remote') throw error;
      failure = error.failure;
      return undefined;
    }
  }

  async function place(store: OpenProject['store'], items: readonly FetchItem[], root: string) {
    if (items.length === 0) return [];
    const workspace = openWorkspace({ root, store, link: home.link, statCache: false });
    try {
      const { failed, missing, refused } = await workspace.checkout(items, { signal: context.stop });
      const lost = [...failed, ...missing].map(({ path }) => path);
      return [
        ...refused,
        ...items.flatMap(({ path }) => (lost.some((one) => one === path || one.startsWith(`${path}/`)) ? [path] : [])),
      ];
    } finally {
      await workspace.close();
    }
  }
}
