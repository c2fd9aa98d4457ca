import type { Catalog } from '../index/catalog.ts';
import { INDEX_NAMES_KEY, RUN_NAMES_KEY, RUN_PREFIX, recordName } from '../layout.ts';
import { StorageError } from '../storage/problem.ts';
import type { Session } from '../transfer/session.ts';
import { encodeNames, NAMES_AT_MOST } from './names.ts';

/** Others may write at the same time: so often it is looked whether all is in what stands there. */
const TRIES = 3;

/**
 * Writes down which indexes are in force, for readers who can't list: where this process has put one, and where what stands
 * there is missing or older than an index. Whoever writes last has seen all that others put before, or writes again.
 */
export async function publishIndexes(session: Session, catalog: Catalog): Promise<void> {
  if (!catalog.isPublishable) return;
  for (let tries = 1; tries <= TRIES; tries++) {
    const names = [...catalog.inForce]
      .map(({ name }) => ({ name, modified: catalog.listed.get(name)?.modified ?? 0 }))
      .sort((a, b) => b.modified - a.modified)
      .map(({ name }) => name);
    if (!(await write(session, INDEX_NAMES_KEY, names))) return;
    catalog.published();
    if (!(await catalog.refresh(session))) return;
  }
}

/** The same for run records. One list of what is there, where it is not at hand. */
export async function publishRecords(session: Session): Promise<void> {
  const { storage, signal } = session;
  const names = await session.call(async () => {
    const found: string[] = [];
    for await (const page of storage.list(RUN_PREFIX, { signal })) {
      for (const { key } of page) {
        const name = recordName(key);
        if (name !== undefined) found.push(name);
      }
      if (found.length > NAMES_AT_MOST) return undefined;
    }
    return found;
  });
  if (names !== undefined) await write(session, RUN_NAMES_KEY, names);
}

/** @returns false where this may not be written. What it is for is there all the same: no reason for a push to fail. */
async function write(session: Session, key: string, names: readonly string[]): Promise<boolean> {
  const { storage, signal } = session;
  const bytes = encodeNames({ at: session.now(), names });
  try {
    await session.call(() => storage.put(key, bytes, { signal, replace: true }));
    await session.call(() => storage.settle());
    return true;
  } catch (error) {
    if (error instanceof StorageError && error.problem === 'permission') return false;
    throw error;
  }
}
