import { parseRunKey, type RunKey, type RunRecord } from '@dag/model';
import { decodeRunRecord, encodeRunRecord, hashText } from '@dag/store';
import { RUN_PREFIX, recordKey, recordRunKey, runPrefix } from '../layout.ts';
import { publishRecords } from '../published/publish.ts';
import { collect } from './read-whole.ts';
import type { Session } from './session.ts';

/** No honest record is larger, in bytes. */
const RECORD_LIMIT = 16 * 1024 * 1024;
/** So many records of one key are looked at; a stage that is deterministic has one. */
const RECORDS_AT_MOST = 64;

/** From so many records on, it is asked first which of them are there. */
const WORTH_A_LIST = 20;

/** Puts run records, whose objects must be there already. @returns how many are new there. */
export async function sendRecords(session: Session, records: readonly RunRecord[]): Promise<number> {
  const { storage, signal } = session;
  const there = records.length < WORTH_A_LIST ? new Set<string>() : await listRecords(session);
  let sent = 0;
  await session.forEach(records, async (record) => {
    const text = encodeRunRecord(record);
    const key = recordKey(record.key, hashText(text));
    if (there.has(key)) return;
    const bytes = Buffer.from(text);
    if ((await session.call(() => storage.put(key, bytes, { signal }))) === 'stored') sent++;
  });
  await session.call(() => storage.settle());
  if (sent > 0) await publishRecords(session);
  return sent;
}

async function listRecords({ storage, signal, call }: Session): Promise<Set<string>> {
  return await call(async () => {
    const keys = new Set<string>();
    for await (const page of storage.list(RUN_PREFIX, { signal })) for (const { key } of page) keys.add(key);
    return keys;
  });
}

/** The records of a key, newest first. What can't be read, or belongs to another key, is as good as not there. */
export async function findRecords(session: Session, key: RunKey): Promise<RunRecord[]> {
  const { storage, signal } = session;
  const keys = await session.call(async () => {
    const found: string[] = [];
    for await (const page of storage.list(runPrefix(key), { signal })) {
      for (const info of page) {
        if (recordRunKey(info.key) === key && info.size <= RECORD_LIMIT) found.push(info.key);
      }
      if (found.length >= RECORDS_AT_MOST) break;
    }
    return found.slice(0, RECORDS_AT_MOST);
  });
  const records: RunRecord[] = [];
  await session.forEach(keys, async (at) => {
    const record = await readRecordAt(session, at, key);
    if (record !== undefined && record !== 'later') records.push(record);
  });
  return records.sort((a, b) => (a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : 0));
}

/** The record under a key; `later` for one that only a later version can read, undefined for what is none. */
export async function readRecordAt(
  session: Session,
  at: string,
  key: RunKey,
): Promise<RunRecord | 'later' | undefined> {
  const text = await session.call(() => readText(session, at));
  if (text === undefined || recordKey(key, hashText(text)) !== at) return undefined;
  return readRecord(text, key) ?? (isLater(text) ? 'later' : undefined);
}

/** The keys of all run records under one first hex digit, sorted. */
export async function listRunKeys(session: Session, digit: string): Promise<RunKey[]> {
  const { storage, signal } = session;
  return await session.call(async () => {
    const keys = new Set<RunKey>();
    for await (const page of storage.list(`${RUN_PREFIX}${digit}`, { signal })) {
      for (const info of page) {
        const key = recordRunKey(info.key);
        if (key !== undefined) keys.add(key);
      }
    }
    return [...keys].sort();
  });
}

/** A small text whole; undefined where it is absent or too large. */
async function readText(session: Session, key: string): Promise<string | undefined> {
  const reading = await session.storage.get(key, { signal: session.signal });
  if (reading === undefined || reading.size > RECORD_LIMIT) return undefined;
  return (await collect(reading)).toString('utf8');
}

/** A record whose text is what its name says is believed when it is of this key, and its fingerprint makes the key. */
function readRecord(text: string, key: RunKey): RunRecord | undefined {
  const decoded = decodeRunRecord(text);
  if (!decoded.ok || decoded.value.key !== key) return undefined;
  const record = decoded.value;
  return parseRunKey(hashText(record.fingerprint).slice('blake3:'.length)) === key ? record : undefined;
}

function isLater(text: string): boolean {
  try {
    const { schema } = JSON.parse(text) as { schema?: unknown };
    return typeof schema === 'number' && schema > 1;
  } catch {
    return false;
  }
}
