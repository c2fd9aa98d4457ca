import { type Digest, FailureError } from '@dag/model';
import type { Context } from '../verb.ts';
import { fetchInOrder, type Sought } from './fetch-in-order.ts';
import type { OpenProject } from './open.ts';
import { openRemotes } from './remotes.ts';
import type { Use } from './roots.ts';

/** An object that is wanted for itself: known by its digest, and perhaps by what uses it, which also knows better how large it should be. */
export interface LooseObject {
  readonly digest: Digest;
  readonly size: number;
  readonly use: Use | undefined;
}

/** The object as something to be moved. Of a folder it is not known what it holds: that is read from it. */
export function looseRoot({ digest, size, use }: LooseObject) {
  const artifact =
    use?.kind === 'folder'
      ? ({ kind: 'folder', digest, size: 0, files: 0 } as const)
      : ({ kind: 'file', digest, size: use?.size ?? size, executable: false } as const);
  return { path: use?.path ?? '', artifact };
}

/** A folder's listing by itself. */
export function looseListing(digest: Digest): LooseObject {
  return { digest, size: 0, use: { path: '', kind: 'folder' } };
}

interface Wanted extends LooseObject {
  readonly remotes: readonly string[];
  /** Of a folder, the listing without what it names. */
  readonly alone?: boolean;
}

/** Fetches what can be had of some objects, each from the first of its remotes that has it whole. That some can't is no failure. */
export async function bringBack(context: Context, project: OpenProject, objects: readonly Wanted[]): Promise<void> {
  const sought = objects
    .filter(({ digest, remotes }) => remotes.length > 0 && !project.store.has(digest))
    .map((object): Sought => {
      const { remotes, alone = false } = object;
      return { ...looseRoot(object), remotes, ...(alone ? { inside: '.' } : {}) };
    });
  if (sought.length === 0) return;
  const opened = openRemotes(project, context);
  const warn = (error: FailureError): void => context.say(`warning: nothing came from a remote: ${error.message}`);
  try {
    await fetchInOrder(sought, {
      fetch: async (name, request) =>
        await (await opened.get(name)).fetch(request, project.store, { signal: context.stop }),
      isHere: (digest) => project.store.has(digest),
      onUnreachable: warn,
    });
  } catch (error) {
    if (!(error instanceof FailureError) || context.stop.aborted) throw error;
    warn(error);
  } finally {
    await opened.close();
  }
}
