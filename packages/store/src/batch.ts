import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { makeFolder, removeFile } from './durable.ts';
import { evidenceCheck, noteLoose, stampOf } from './evidence.ts';
import { ioFailure, withIo } from './failure.ts';
import { isGcAtWork, type WriterMark } from './in-use.ts';
import { type Layout, loosePath } from './layout.ts';
import { LooseSnapshot } from './loose.ts';
import { type Finished, type Linked, placesOf, publish } from './publish.ts';
import { stageRecord } from './runs.ts';
import { type Presence, Staging } from './staging.ts';
import type { Syncs } from './sync.ts';
import type { ObjectLinks, Staged, StoreBatch } from './types.ts';

/** How a store is asked for what it has. */
export interface LookUp {
  /** Whether a pack has an object, as the packs were last listed. */
  readonly isPacked: Presence;
  /** Whether an object can be read, and is what its name says; one that is damaged goes to quarantine. */
  readonly isWhole: (digest: Digest) => boolean;
}

/**
 * See `StoreBatch`.
 * @param mark stands from before the first look-up.
 */
export function openBatch(
  layout: Layout,
  lookUp: LookUp,
  { mark, syncs }: { readonly mark: WriterMark; readonly syncs: Syncs },
): StoreBatch {
  withIo('write into the cache', layout.root, () => mark.begin());
  const isDoubted = isGcAtWork(layout.users);
  const staging = openStaging(layout, lookUp);
  const check = evidenceCheck(layout);
  const records: Finished[] = [];
  let open = true;
  const end = (): void => {
    if (open) mark.end();
    open = false;
  };
  return {
    hasHash: (hash, at) => staging.hasHash(hash, at),
    holds: (evidence) => !isDoubted && check(evidence),
    found: staging.found,
    put: (bytes, digest) => withIo('write into the cache', layout.root, () => staging.put(bytes, digest)),
    putTemp: (temp, digest) => withIo('write into the cache', layout.root, () => staging.putTemp(temp, digest)),
    adopt: (staged) => staging.adopt(staged),
    putRecord(record) {
      const file = withIo('write the run record', layout.runs, () => stageRecord(layout, record));
      if (file !== undefined) records.push(file);
    },
    async commit(links) {
      try {
        // A record's name appears after those of the objects that it names.
        const staged = staging.finish();
        const files = [...placesOf(layout, staged), ...records];
        try {
          await publish(files, syncs, links && linkedOf(layout, links));
          noteStaged(layout, staged);
          for (const digest of links?.digests ?? []) noteLoose(staged.found, digest);
        } catch (error) {
          dropTemps(files);
          throw error;
        }
      } catch (error) {
        staging.discard();
        dropTemps(records);
        throw ioFailure(error, 'write into the cache', layout.root);
      } finally {
        end();
      }
    },
    discard() {
      staging.discard();
      dropTemps(records);
      end();
    },
  };
}

function linkedOf(layout: Layout, { files, digests, link }: ObjectLinks): Linked {
  return { files, paths: digests.map((digest) => loosePath(layout, digest)), link };
}

function dropTemps(files: readonly Finished[]): void {
  for (const { temp } of files) removeFile(temp);
}

/**
 * The staging of one thread: what the cache has already is looked up in packs and in a snapshot of the loose objects. While
 * a gc is at work nothing counts as there: it may be gone in a moment.
 */
export function openStaging(layout: Layout, { isPacked, isWhole }: LookUp): Staging {
  const loose = new LooseSnapshot(layout);
  withIo('make the folder', layout.tmp, () => makeFolder(layout.tmp));
  if (isGcAtWork(layout.users)) return new Staging(layout.tmp, () => false, isWhole);
  const present: Presence = (hash, at, found) => isPacked(hash, at, found) || loose.hasHash(hash, at, found);
  return new Staging(layout.tmp, present, isWhole);
}

/** What was published is where it was put, so long as nobody took it away meanwhile. */
function noteStaged(layout: Layout, { packs, loose, found }: Staged): void {
  for (const { digest } of loose) noteLoose(found, digest);
  for (const { name } of packs) {
    const stats = statSync(join(layout.packs, name), { bigint: true, throwIfNoEntry: false });
    found.packs.set(name, stats === undefined ? '' : stampOf(stats));
  }
}
