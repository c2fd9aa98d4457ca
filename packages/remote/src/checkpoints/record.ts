import type { CheckpointNote } from '@dag/model';
import { hashText } from '@dag/store';

// What a remote keeps of runs that have not finished (FORMAT.md, Checkpoints): no objects of the index, and nothing hangs on them.

/** What the keys of all checkpoints begin with. */
export const CHECKPOINT_PREFIX = 'checkpoints/';
/** A file is sent in pieces of so many bytes, each an object of its own. */
export const PIECE_BYTES = 16 * 1024 * 1024;
/** No honest record is larger, in bytes. */
export const RECORD_LIMIT = 16 * 1024 * 1024;

const RECORD_FORM = /\/(\d{10})-([0-9a-f]{40})\.json$/;
const PIECE_FORM = /^[0-9a-f]{32}$/;

/** A piece of a file: the random name under which it lies, its length and the digest of its bytes. */
export interface CheckpointPiece {
  readonly name: string;
  readonly size: number;
  readonly digest: string;
}

/** A file or a link in a checkpoint, by its path in the folder, `/`-separated. */
export type CheckpointEntry =
  | {
      readonly path: string;
      readonly size: number;
      /** Milliseconds since 1970. */
      readonly modified: number;
      readonly executable: boolean;
      readonly pieces: readonly CheckpointPiece[];
    }
  | { readonly path: string; readonly link: string };

/** One whole checkpoint of a remote. */
export interface CheckpointRecord extends CheckpointNote {
  readonly schema: 1;
  /** What it is kept under: the run key, or what stands for it. */
  readonly name: string;
  readonly entries: readonly CheckpointEntry[];
}

/** What the keys of all checkpoints of a run begin with. @param name 64 hex digits. */
export function checkpointPrefix(name: string): string {
  return `${CHECKPOINT_PREFIX}${name.slice(0, 2)}/${name}/`;
}

export function pieceKey(name: string, piece: string): string {
  return `${checkpointPrefix(name)}${piece}.piece`;
}

/** The key of a record, which names its text. */
export function checkpointRecordKey(name: string, number: number, text: string): string {
  return `${checkpointPrefix(name)}${String(number).padStart(10, '0')}-${hashOfText(text)}.json`;
}

/** The number of a record by its key; undefined for a key of another kind. */
export function recordNumber(key: string): number | undefined {
  const number = RECORD_FORM.exec(key)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** The run that a key belongs to. */
export function runOfKey(key: string): string | undefined {
  return /^checkpoints\/[0-9a-f]{2}\/([0-9a-f]{64})\//.exec(key)?.[1];
}

/** Reads a record; undefined for what is none, is not what its key names, or would lead out of its folder. */
export function readCheckpointRecord(key: string, text: string, name: string): CheckpointRecord | undefined {
  if (RECORD_FORM.exec(key)?.[2] !== hashOfText(text)) return undefined;
  const record = parse(text) as CheckpointRecord | undefined;
  if (record?.schema !== 1 || record.name !== name || !Array.isArray(record.entries)) return undefined;
  const isNoted = typeof record.at === 'string' && !Number.isNaN(Date.parse(record.at));
  const areNumbers = [record.resumes, record.seconds, record.step ?? 0].every(
    (one) => Number.isFinite(one) && one >= 0,
  );
  return isNoted && areNumbers && record.entries.every(isSound) ? record : undefined;
}

function hashOfText(text: string): string {
  return hashText(text).slice('blake3:'.length, 'blake3:'.length + 40);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isSound(entry: CheckpointEntry): boolean {
  if (typeof entry !== 'object' || entry === null || !isInside(entry.path)) return false;
  if ('link' in entry) return typeof entry.link === 'string' && isInside(joined(entry.path, entry.link));
  if (!Array.isArray(entry.pieces) || !Number.isFinite(entry.modified)) return false;
  const isPiece = ({ name, size, digest }: CheckpointPiece): boolean =>
    PIECE_FORM.test(name) && Number.isSafeInteger(size) && size > 0 && size <= PIECE_BYTES && /^blake3:/.test(digest);
  const size = (entry.pieces as readonly CheckpointPiece[]).reduce((sum, piece) => sum + piece.size, 0);
  return entry.pieces.every(isPiece) && size === entry.size;
}

/** Whether a path stays in its folder. */
function isInside(path: unknown): path is string {
  if (typeof path !== 'string' || path === '' || path.startsWith('/') || /[\\\0]/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/** Where a relative link leads, from the folder; with `..` in it where it leads out. */
function joined(path: string, link: string): string {
  const parts = path.split('/').slice(0, -1);
  for (const part of link.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}
