import { FailureError, type RunRecord } from '@dag/model';
import { encodeRunRecord, hashText, type Store } from '@dag/store';
import { recordKey, recordRunKey } from '../layout.ts';
import { readRecordAt } from '../transfer/records.ts';
import type { Session } from '../transfer/session.ts';

/** A run record in the remote. */
export interface FoundRecord {
  readonly key: string;
  readonly record: RunRecord;
}

/**
 * All run records that hold together; those that the store has too are not read from the remote.
 * @throws FailureError `refused` where one was written by a later version: what it needs can't be told.
 */
export async function allRecords(session: Session, store: Store): Promise<FoundRecord[]> {
  const { storage, signal } = session;
  const keys = await session.call(async () => {
    const found: string[] = [];
    for await (const page of storage.list('runs/', { signal })) for (const { key } of page) found.push(key);
    return found;
  });
  const records: FoundRecord[] = [];
  await session.forEach(keys, async (key) => {
    const runKey = recordRunKey(key);
    if (runKey === undefined) return;
    const here = store.runs.find(runKey).find((one) => recordKey(runKey, hashText(encodeRunRecord(one))) === key);
    const record = here ?? (await readRecordAt(session, key, runKey));
    if (record === 'later') throw laterRecord(key);
    if (record !== undefined) records.push({ key, record });
  });
  return records;
}

function laterRecord(key: string): FailureError {
  return new FailureError({
    code: 'refused',
    message: `${key} in the remote was written by a later dag: what its run needs can't be told, and nothing is removed`,
    hint: 'run gc with that dag',
  });
}
