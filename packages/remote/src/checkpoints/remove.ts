import type { ObjectInfo } from '../storage/storage.ts';
import type { Session } from '../transfer/session.ts';
import { CHECKPOINT_PREFIX, checkpointPrefix, recordNumber, runOfKey } from './record.ts';

/** Keys that are removed in one call. */
const TOGETHER = 1000;

/** All that is kept of a run. */
export async function listOf(session: Session, name: string): Promise<ObjectInfo[]> {
  return await listUnder(session, checkpointPrefix(name));
}

/** Removes objects of checkpoints: records first, so that none names what is gone. */
export async function deleteCheckpoints(session: Session, keys: readonly string[]): Promise<void> {
  const isRecord = (key: string): boolean => recordNumber(key) !== undefined;
  const { storage, signal, call } = session;
  for (const some of [keys.filter(isRecord), keys.filter((key) => !isRecord(key))]) {
    for (let at = 0; at < some.length; at += TOGETHER) {
      await call(() => storage.delete(some.slice(at, at + TOGETHER), { signal }));
    }
  }
}

/** Removes all that is kept of a run. */
export async function dropCheckpoints(session: Session, name: string): Promise<void> {
  const keys = (await listOf(session, name)).map(({ key }) => key);
  if (keys.length > 0) await deleteCheckpoints(session, keys);
}

/**
 * Checkpoints that a collector takes: of runs that have finished since, and of those that sent nothing for long. Nothing hangs on
 * them, so no marking is needed: who goes on with one that is just removed begins anew.
 * @param finished keys of runs of which there is a record.
 * @param before those that were last written to before it go, in ms since 1970.
 * @param now by the storage's clock.
 */
export async function oldCheckpoints(
  session: Session,
  finished: ReadonlySet<string>,
  before: number,
  now: number,
): Promise<ObjectInfo[]> {
  const runs = new Map<string, ObjectInfo[]>();
  for (const info of await listUnder(session, CHECKPOINT_PREFIX)) {
    const run = runOfKey(info.key) ?? '';
    const others = runs.get(run);
    if (others === undefined) runs.set(run, [info]);
    else others.push(info);
  }
  return [...runs].flatMap(([run, objects]) => {
    const last = Math.max(...objects.map(({ modified }) => modified));
    const isOld = last < before || (finished.has(run) && now - last >= session.times.grace);
    return isOld ? objects : [];
  });
}

async function listUnder({ storage, signal, call }: Session, prefix: string): Promise<ObjectInfo[]> {
  return await call(async () => {
    const found: ObjectInfo[] = [];
    for await (const page of storage.list(prefix, { signal })) found.push(...page);
    return found;
  });
}
