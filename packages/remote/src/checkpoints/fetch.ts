import { type FileHandle, mkdir, open, symlink, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hashBytes } from '@dag/store';
import { StorageError } from '../storage/problem.ts';
import { readWhole } from '../transfer/read-whole.ts';
import type { Session } from '../transfer/session.ts';
import {
  type CheckpointEntry,
  type CheckpointRecord,
  pieceKey,
  RECORD_LIMIT,
  readCheckpointRecord,
  recordNumber,
} from './record.ts';
import { listOf } from './remove.ts';

/** So many records of one run are looked at. */
const LOOKED_AT = 4;

/** The checkpoints of a run that are named, newest first. */
export async function findCheckpoints(session: Session, name: string): Promise<CheckpointRecord[]> {
  const keys = (await listOf(session, name))
    .flatMap(({ key, size }) => (recordNumber(key) === undefined || size > RECORD_LIMIT ? [] : [key]))
    .sort((a, b) => (a < b ? 1 : -1));
  const found: CheckpointRecord[] = [];
  for (const key of keys.slice(0, LOOKED_AT)) {
    const text = await readWhole(session, key, RECORD_LIMIT);
    if (text === undefined || text === 'too-large') continue;
    const record = readCheckpointRecord(key, text.toString('utf8'), name);
    if (record !== undefined) found.push(record);
  }
  return found;
}

/**
 * Brings a checkpoint into a folder that is empty, every piece checked; files have their times, and are durable.
 * @returns false where a piece is gone or damaged: what is in the folder is of no use then.
 */
export async function fetchCheckpoint(session: Session, record: CheckpointRecord, folder: string): Promise<boolean> {
  for (const entry of record.entries) {
    const file = join(folder, entry.path);
    await mkdir(dirname(file), { recursive: true });
    if ('pieces' in entry && !(await bringFile(session, record.name, entry, file))) return false;
  }
  for (const entry of record.entries) if ('link' in entry) await symlink(entry.link, join(folder, entry.path));
  return true;
}

async function bringFile(
  session: Session,
  name: string,
  { pieces, executable, modified }: Extract<CheckpointEntry, { pieces: unknown }>,
  file: string,
): Promise<boolean> {
  const handle = await open(file, 'wx', executable ? 0o777 : 0o666);
  try {
    let at = 0;
    const places = pieces.map((piece) => {
      const place = { piece, at };
      at += piece.size;
      return place;
    });
    let isWhole = true;
    await session.forEach(places, async ({ piece, at: from }) => {
      const bytes = isWhole
        ? await readPiece(session, pieceKey(name, piece.name), piece.size, piece.digest)
        : undefined;
      if (bytes === undefined) isWhole = false;
      else await writeAt(handle, bytes, from);
    });
    if (isWhole) await handle.sync();
    if (isWhole) await utimes(file, new Date(modified), new Date(modified));
    return isWhole;
  } finally {
    await handle.close();
  }
}

/** A piece that is what its record says, asked for once more where it is not. */
async function readPiece(session: Session, key: string, size: number, digest: string): Promise<Buffer | undefined> {
  for (const fresh of [false, true]) {
    const bytes = await readWhole(session, key, size, fresh);
    if (bytes !== undefined && bytes !== 'too-large' && hashBytes(bytes) === digest) return bytes;
  }
  return undefined;
}

async function writeAt(handle: FileHandle, bytes: Buffer, from: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, from + at);
    if (bytesWritten === 0) throw new StorageError('busy', 'nothing was written', { transient: false });
    at += bytesWritten;
  }
}
