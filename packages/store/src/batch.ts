import { makeFolder } from './durable.ts';
import { ioFailure, withIo } from './failure.ts';
import { isGcAtWork, type WriterMark } from './in-use.ts';
import type { Layout } from './layout.ts';
import { LooseSnapshot } from './loose.ts';
import { publish } from './publish.ts';
import { dropStaged, type Presence, Staging } from './staging.ts';
import type { StoreBatch } from './types.ts';

/**
 * See `StoreBatch`.
 * @param isPacked whether a pack has an object, as the packs were last listed.
 * @param mark stands from before the first look-up.
 */
export function openBatch(layout: Layout, isPacked: Presence, mark: WriterMark): StoreBatch {
  withIo('write into the cache', layout.root, () => mark.begin());
  const staging = openStaging(layout, isPacked);
  let open = true;
  const end = (): void => {
    if (open) mark.end();
    open = false;
  };
  return {
    hasHash: (hash, at) => staging.hasHash(hash, at),
    put: (bytes, digest) => withIo('write into the cache', layout.root, () => staging.put(bytes, digest)),
    putTemp: (temp, digest) => withIo('write into the cache', layout.root, () => staging.putTemp(temp, digest)),
    adopt: (staged) => staging.adopt(staged),
    async commit() {
      try {
        const staged = staging.finish();
        try {
          await publish(layout, staged);
        } catch (error) {
          dropStaged(staged);
          throw error;
        }
      } catch (error) {
        staging.discard();
        throw ioFailure(error, 'write into the cache', layout.root);
      } finally {
        end();
      }
    },
    discard() {
      staging.discard();
      end();
    },
  };
}

/**
 * The staging of one thread: what the cache has already is looked up in packs and in a snapshot of the loose objects. While
 * a gc is at work nothing counts as there: it may be gone in a moment.
 */
export function openStaging(layout: Layout, isPacked: Presence): Staging {
  const loose = new LooseSnapshot(layout);
  withIo('make the folder', layout.tmp, () => makeFolder(layout.tmp));
  if (isGcAtWork(layout.users)) return new Staging(layout.tmp, () => false);
  return new Staging(layout.tmp, (hash, at) => isPacked(hash, at) || loose.hasHash(hash, at));
}
