import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { byCodeUnit, digestHex, type RunKey, type RunRecord } from '@dag/model';
import { listNames, makeFolder, removeFile, writeNewFile } from './durable.ts';
import { ioFailure, isErrno, withIo } from './failure.ts';
import { hashBytes } from './hash.ts';
import { type Layout, runFolder } from './layout.ts';
import { tempName } from './owner.ts';
import { type Finished, publish } from './publish.ts';
import { decodeRunRecord, encodeRunRecord, RECORD_LIMIT } from './run-json.ts';
import type { Syncs } from './sync.ts';
import type { RunStore } from './types.ts';

const RECORD_MODE = 0o444;

/** Run records as files `runs/<2>/<key>/<id>.json`; the id is the start of the record's own hash. */
export function openRuns(layout: Layout, syncs: Syncs): RunStore {
  return {
    async putAll(records) {
      const staged: Finished[] = [];
      try {
        for (const record of records) {
          const file = stageRecord(layout, record);
          if (file !== undefined) staged.push(file);
        }
        await publish(staged, syncs);
      } catch (error) {
        for (const { temp } of staged) removeFile(temp);
        throw ioFailure(error, 'write run records', layout.runs);
      }
    },
    find: (key) => findRecords(layout, key),
    *list() {
      for (const key of keys(layout)) yield* findRecords(layout, key);
    },
    *files() {
      for (const key of keys(layout)) {
        for (const name of recordNames(layout, key)) {
          const file = join(runFolder(layout, key), name);
          const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
          if (stats === undefined) continue;
          const record = readRecord(file, key);
          const isLater = record === undefined && isLaterRecord(file);
          yield { file, record, isLater, size: Number(stats.size), changed: stats.ctimeNs };
        }
      }
    },
    remove: (file) => withIo('remove the run record', file, () => removeFile(file)),
  };
}

/** Writes a record under a temp name; undefined where it is there already, whole. */
export function stageRecord(layout: Layout, record: RunRecord): Finished | undefined {
  const bytes = Buffer.from(encodeRunRecord(record), 'utf8');
  const name = `${digestHex(hashBytes(bytes)).slice(0, 16)}.json`;
  const path = join(runFolder(layout, record.key), name);
  if (isThere(path, record)) return undefined;
  makeFolder(layout.tmp);
  const temp = join(layout.tmp, tempName('record'));
  writeNewFile(temp, bytes, RECORD_MODE, false);
  return { temp, path };
}

function isThere(path: string, record: RunRecord): boolean {
  return existsSync(path) && readRecord(path, record.key) !== undefined;
}

function* keys(layout: Layout): Iterable<RunKey> {
  for (const shard of listNames(layout.runs).sort(byCodeUnit)) {
    if (!/^[0-9a-f]{2}$/.test(shard)) continue;
    for (const key of listNames(join(layout.runs, shard)).sort(byCodeUnit)) {
      if (/^[0-9a-f]{64}$/.test(key)) yield key as RunKey;
    }
  }
}

function recordNames(layout: Layout, key: RunKey): string[] {
  return listNames(runFolder(layout, key))
    .filter((name) => name.endsWith('.json'))
    .sort(byCodeUnit);
}

function findRecords(layout: Layout, key: RunKey): RunRecord[] {
  const folder = runFolder(layout, key);
  // Asked for every stage, mostly for one that never ran: to look is cheaper than an error.
  if (!existsSync(folder)) return [];
  const found: RunRecord[] = [];
  for (const name of recordNames(layout, key)) {
    const record = readRecord(join(folder, name), key);
    if (record !== undefined) found.push(record);
  }
  return found.sort((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt));
}

/** undefined for what is no record of this key: half written, damaged or misplaced. */
function readRecord(path: string, key: RunKey): RunRecord | undefined {
  try {
    const stats = statSync(path);
    if (!stats.isFile() || stats.size > RECORD_LIMIT) return undefined;
    const record = decodeRunRecord(readFileSync(path, 'utf8'));
    return record.ok && record.value.key === key ? record.value : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR', 'EIO')) return undefined;
    throw error;
  }
}

function isLaterRecord(path: string): boolean {
  try {
    const { schema } = JSON.parse(readFileSync(path, 'utf8')) as { schema?: unknown };
    return typeof schema === 'number' && schema > 1;
  } catch {
    return false;
  }
}
