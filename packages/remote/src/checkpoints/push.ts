import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointFile } from '@dag/model';
import { hashBytes } from '@dag/store';
import type { CheckpointSnapshot } from '../remote.ts';
import { putWhole } from '../transfer/put-whole.ts';
import type { Session } from '../transfer/session.ts';
import {
  type CheckpointEntry,
  type CheckpointPiece,
  type CheckpointRecord,
  checkpointRecordKey,
  PIECE_BYTES,
  pieceKey,
  recordNumber,
} from './record.ts';
import { deleteCheckpoints, listOf } from './remove.ts';

/** Records that a run leaves in the remote. */
const KEPT = 2;

/** What one run has sent so far, so that a file that is as it was is not sent again, and what is old is removed. */
export interface SentCheckpoints {
  /** Pieces by file: its path, size and time. */
  readonly files: Map<string, readonly CheckpointPiece[]>;
  /** Records that are there, oldest first, with the names of their pieces. */
  readonly records: { readonly key: string; readonly pieces: ReadonlySet<string> }[];
  /** What was there before the run began; undefined until it was asked. */
  before: { readonly keys: readonly string[]; readonly number: number } | undefined;
}

export function nothingSent(): SentCheckpoints {
  return { files: new Map(), records: [], before: undefined };
}

/** A file is not what it was when the snapshot was taken. */
class Changed extends Error {}

/**
 * Sends the files of a snapshot, then the record that names them; then removes what came before, up to the last but one.
 * @returns `changed` where a file was written to meanwhile: nothing counts then.
 */
export async function pushCheckpoint(
  session: Session,
  name: string,
  sent: SentCheckpoints,
  { folder, files, note }: CheckpointSnapshot,
): Promise<'sent' | 'changed'> {
  sent.before ??= await before(session, name);
  const entries: CheckpointEntry[] = [];
  try {
    for (const file of files) entries.push(await sendFile(session, name, sent, folder, file));
  } catch (error) {
    if (error instanceof Changed) return 'changed';
    throw error;
  }
  const record: CheckpointRecord = { schema: 1, name, ...note, entries };
  const text = JSON.stringify(record);
  sent.before = { ...sent.before, number: sent.before.number + 1 };
  const key = checkpointRecordKey(name, sent.before.number, text);
  await session.call(() => session.storage.settle());
  await putWhole(session, key, Buffer.from(text));
  await session.call(() => session.storage.settle());
  sent.records.push({ key, pieces: new Set(piecesOf(entries).map((piece) => piece.name)) });
  await removeOld(session, name, sent);
  return 'sent';
}

async function before(session: Session, name: string): Promise<NonNullable<SentCheckpoints['before']>> {
  const keys = (await listOf(session, name)).map((info) => info.key);
  return { keys, number: Math.max(0, ...keys.map((key) => recordNumber(key) ?? 0)) };
}

async function sendFile(
  session: Session,
  name: string,
  { files }: SentCheckpoints,
  folder: string,
  file: CheckpointFile,
): Promise<CheckpointEntry> {
  if ('link' in file) return file;
  const { path, size, modified, executable } = file;
  const id = JSON.stringify([path, size, modified]);
  let pieces = files.get(id);
  if (pieces === undefined) {
    pieces = await sendPieces(session, name, join(folder, path), file);
    files.set(id, pieces);
  }
  return { path, size, modified, executable, pieces };
}

async function sendPieces(
  session: Session,
  name: string,
  at: string,
  { size, modified }: { readonly size: number; readonly modified: number },
): Promise<CheckpointPiece[]> {
  const handle = await open(at, 'r').catch(() => {
    throw new Changed();
  });
  try {
    const pieces: CheckpointPiece[] = [];
    await session.forEach(piecesIn(handle, size, pieces), async ({ piece, bytes }) => {
      await putWhole(session, pieceKey(name, piece.name), bytes);
    });
    const stats = await handle.stat();
    if (stats.size !== size || stats.mtimeMs !== modified) throw new Changed();
    return pieces;
  } finally {
    await handle.close();
  }
}

/** Reads a file piece by piece as they are asked for; `pieces` has them in order. */
async function* piecesIn(handle: FileHandle, size: number, pieces: CheckpointPiece[]) {
  for (let at = 0; at < size; at += PIECE_BYTES) {
    const bytes = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, size - at));
    for (let got = 0; got < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, got, bytes.length - got, at + got);
      if (bytesRead === 0) throw new Changed();
      got += bytesRead;
    }
    const piece = { name: randomBytes(16).toString('hex'), size: bytes.length, digest: hashBytes(bytes) };
    pieces.push(piece);
    yield { piece, bytes };
  }
}

/** Records first: none may name what is gone. */
async function removeOld(session: Session, name: string, sent: SentCheckpoints): Promise<void> {
  const old = sent.records.splice(0, Math.max(0, sent.records.length - KEPT));
  const needed = new Set(sent.records.flatMap(({ pieces }) => [...pieces]));
  const gone = new Set(old.flatMap((one) => [...one.pieces]).filter((piece) => !needed.has(piece)));
  for (const [id, pieces] of sent.files) if (pieces.some((piece) => gone.has(piece.name))) sent.files.delete(id);
  const before = sent.before?.keys ?? [];
  if (sent.before !== undefined) sent.before = { ...sent.before, keys: [] };
  await deleteCheckpoints(session, [
    ...before,
    ...old.map(({ key }) => key),
    ...Array.from(gone, (piece) => pieceKey(name, piece)),
  ]);
}

function piecesOf(entries: readonly CheckpointEntry[]): CheckpointPiece[] {
  return entries.flatMap((entry) => ('pieces' in entry ? entry.pieces : []));
}
