import { type Digest, decodeTree } from '@dag/model';
import type { Remote } from '@dag/remote';
import type { Context } from '../verb.ts';
import { bringBack, type LooseObject, looseListing, looseRoot } from './bring-back.ts';
import type { OpenProject } from './open.ts';

/** No listing that is worth looking for is larger, in bytes. */
const LISTING_LIMIT = 64 * 1024 * 1024;

/** What a check took out of a remote: what is damaged, and listings that need it. */
interface TakenOut {
  readonly damaged: readonly Omit<LooseObject, 'use'>[];
  readonly needing: readonly Digest[];
}

/**
 * Sends what was taken out of a remote again: from the cache, and where that lacks it, from other remotes.
 * @param others names of remotes, in the order in which they are asked.
 * @returns what is there again.
 */
export async function healRemote(
  context: Context,
  project: OpenProject,
  remote: Remote,
  { damaged: objects, needing, others }: TakenOut & { readonly others: readonly string[] },
): Promise<ReadonlySet<Digest>> {
  const { store } = project;
  const damaged = objects.map((object): LooseObject => ({ ...object, use: undefined }));
  const listings = needing.map(looseListing);
  const lost = [
    ...damaged.map((object) => ({ ...object, remotes: others })),
    ...listings.map((listing) => ({ ...listing, remotes: others, alone: true })),
  ];
  await bringBack(context, project, lost);
  const here = [...damaged, ...listings].filter(({ digest }) => store.has(digest));
  if (here.length === 0) return new Set();
  const roots = here.map((object) => looseRoot(isTree(project, object) ? asFolder(object) : object));
  const digests = here.map(({ digest }) => digest);
  const options = { signal: context.stop };
  // A listing goes after what it needs: where that can't be had, it stays out, and is named by whoever pushes it.
  await remote.push({ roots }, store, options);
  return await remote.presence(digests, options);
}

function asFolder(object: LooseObject): LooseObject {
  return { ...object, use: { path: object.use?.path ?? '', kind: 'folder' } };
}

/** A listing must not go as a file does: all that it names has to be there before it. */
function isTree({ store }: OpenProject, { digest, size, use }: LooseObject): boolean {
  if (use !== undefined) return use.kind === 'folder';
  return size <= LISTING_LIMIT && decodeTree(store.read(digest, LISTING_LIMIT)).ok;
}
