import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '@dag/model';
import { decodeEvidence, type Evidence, encodeEvidence } from '../evidence.ts';
import { hashText } from '../hash.ts';
import { hashOf } from '../hash-set.ts';
import { loadNative } from '../native.ts';
import { tempName } from '../owner.ts';
import { isOnNetwork } from './file-system.ts';
import { decodeFolder, encodeFolder, type FolderRecord } from './folder.ts';
import { InUse } from './in-use.ts';
import { decodeValue, encodeKey, encodeValue, type FileStats, KEY_SIZE, sameStats } from './record.ts';
import { isSoundLmdb } from './sound.ts';

/**
 * Which digest a file had when its stats were what they are. Shared by all processes and threads that open the same folder.
 * It is a cache: whatever goes wrong with it costs time, never an error.
 */
export interface StatCache {
  /** Whether it has been opened, which takes as long as reading hundreds of small files. */
  readonly isOpen: boolean;
  /** The digest recorded for exactly these stats. */
  find(stats: FileStats): Digest | undefined;
  /** What was remembered of a folder, by its own stats. Each file's facts count only while its stats are what they were. */
  recall(folder: Pick<FileStats, 'dev' | 'ino'>): RecalledFolder | undefined;
  /** Remembers what was found out about the files of a folder, in memory until `flush`. */
  remember(folder: Pick<FileStats, 'dev' | 'ino'>, record: FolderRecord): void;
  /** Where a tree, and all inside, was found in the cache when it was last looked for. */
  recallTree(tree: Digest): Evidence | undefined;
  /** Remembers that, in memory until `flush`. */
  rememberTree(tree: Digest, evidence: Evidence): void;
  /** Records a digest, in memory until `flush`. Only what is known to be settled (`isSettled`) may be recorded. */
  record(stats: FileStats, digest: Digest): void;
  /**
   * Writes what was recorded, now or with what comes within moments; `close` writes all. To be called at the end of each
   * operation, also of one that failed: see `InUse`.
   */
  flush(): void;
  close(): void;
}

/** A folder's record as it was read, the reader's own. `text`: all names, a NUL between. */
export type RecalledFolder = FolderRecord & { readonly text: string };

interface Lmdb {
  getBinary(key: Buffer): Buffer | undefined;
  getBinaryFast(key: Buffer): Buffer | undefined;
  putSync(key: Buffer, value: Buffer): void;
  transactionSync<T>(work: () => T): T;
  close(): Promise<void>;
}
interface LmdbModule {
  open(options: Record<string, unknown>): Lmdb;
}

const FILE_NAME = 'stat-1.mdb';
const FLUSH_FROM = 20_000;
/**
 * Fewer records than this wait for others, so long as the last were written less than so many milliseconds ago, or so many
 * times as long as that took; unless they stand for so many bytes that hashing them again would be felt.
 */
const FLUSH_SOON = 256;
const FLUSH_MS = 250;
const FLUSH_FACTOR = 50;
const FLUSH_WORTH = 256 << 20;
/** Bytes of records of folders and trees that wait, at most. */
const FLUSH_BYTES = 4 << 20;
/** The first byte of a folder's key, which no file's key begins with. */
const FOLDER_KEY = 0x64;
/** The first byte of a tree's key. */
const TREE_KEY = 0x74;
/** Bytes that must be free on the disk: more than one flush writes. */
const ROOM_NEEDED = 16 << 20;

/**
 * Opens (at the first look-up) the stat cache in a folder. Where lmdb can't be loaded or opened it works as an empty cache;
 * a damaged file is removed and made anew.
 * @param folder undefined for a cache that never knows anything.
 */
export function openStatCache(folder: string | undefined): StatCache {
  let state: { db: Lmdb | undefined } | undefined;
  let waiting = new Map<string, [FileStats, Digest]>();
  let waitingBytes = 0n;
  let dueAt = Number.NEGATIVE_INFINITY;
  let records = new Map<string, Buffer>();
  let recordBytes = 0;
  const key = Buffer.alloc(KEY_SIZE);
  const open = (): Lmdb | undefined => {
    state ??= { db: folder === undefined ? undefined : openLmdb(folder) };
    return state.db;
  };
  const inUse = folder === undefined ? undefined : new InUse(folder);
  const attempt = <T>(work: (db: Lmdb) => T): T | undefined => {
    if (state !== undefined && state.db === undefined) return undefined;
    try {
      inUse?.begin();
      const db = open();
      return db === undefined ? undefined : work(db);
    } catch {
      state = { db: undefined };
      return undefined;
    }
  };
  const write = (): void => {
    if (waiting.size + records.size === 0) return;
    const entries = [...waiting.values()];
    const whole = records;
    const began = performance.now();
    waiting = new Map();
    waitingBytes = 0n;
    records = new Map();
    recordBytes = 0;
    attempt((db) =>
      db.transactionSync(() => {
        for (const [stats, digest] of entries) {
          const own = Buffer.alloc(KEY_SIZE);
          encodeKey(stats, own);
          db.putSync(own, encodeValue(own, stats, digest));
        }
        for (const [own, record] of whole) db.putSync(Buffer.from(own, 'latin1'), record);
      }),
    );
    const ended = performance.now();
    dueAt = ended + Math.max(FLUSH_MS, FLUSH_FACTOR * (ended - began));
  };
  const get = <T>(own: Buffer, decode: (bytes: Buffer) => T | undefined): T | undefined => {
    const fresh = records.get(own.toString('latin1'));
    if (fresh !== undefined) return decode(Buffer.from(fresh));
    return attempt((db) => {
      const value = db.getBinary(own);
      return value === undefined ? undefined : decode(value);
    });
  };
  const put = (own: Buffer, bytes: Buffer): void => {
    records.set(own.toString('latin1'), bytes);
    recordBytes += bytes.length;
    if (recordBytes >= FLUSH_BYTES) write();
  };
  return {
    get isOpen() {
      return state !== undefined;
    },
    find(stats) {
      const fresh = waiting.get(`${stats.dev}:${stats.ino}`);
      if (fresh !== undefined) return sameStats(fresh[0], stats) ? fresh[1] : undefined;
      return attempt((db) => {
        encodeKey(stats, key);
        const value = db.getBinaryFast(key);
        return value === undefined ? undefined : decodeValue(key, value, stats);
      });
    },
    recall: (folder) => get(folderKey(folder), decodeFolder),
    remember: (folder, record) => put(folderKey(folder), encodeFolder(record)),
    recallTree: (tree) => get(treeKey(tree), decodeEvidence),
    rememberTree: (tree, evidence) => put(treeKey(tree), encodeEvidence(evidence)),
    record(stats, digest) {
      waiting.set(`${stats.dev}:${stats.ino}`, [stats, digest]);
      waitingBytes += stats.size;
      if (waiting.size >= FLUSH_FROM) write();
    },
    flush() {
      const isMuch = waiting.size + records.size >= FLUSH_SOON || waitingBytes >= FLUSH_WORTH;
      if (isMuch || performance.now() > dueAt) write();
      inUse?.end();
    },
    close() {
      write();
      inUse?.end();
      const db = state?.db;
      state = undefined;
      db?.close().catch(() => undefined);
    },
  };
}

function folderKey(folder: Pick<FileStats, 'dev' | 'ino'>): Buffer {
  const key = Buffer.alloc(1 + KEY_SIZE, FOLDER_KEY);
  encodeKey(folder, key.subarray(1));
  return key;
}

function treeKey(tree: Digest): Buffer {
  return Buffer.concat([Buffer.of(TREE_KEY), hashOf(tree)]);
}

function openLmdb(folder: string): Lmdb | undefined {
  const lmdb = loadNative('lmdb') as LmdbModule | undefined;
  if (lmdb === undefined) return undefined;
  try {
    mkdirSync(folder, { recursive: true });
    // A page that is mapped and has no room on the disk kills the process (SIGBUS): no cache is better then.
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize < ROOM_NEEDED) return undefined;
    const path = join(folder, FILE_NAME);
    if (InUse.hasCrashed(folder) || (existsSync(path) && !isSoundLmdb(path))) removeFiles(path);
    // lmdb, where it can't write the head of a new file, does not say so: it takes the process down.
    if (!existsSync(path)) tryFile(`${path}-${tempName('probe')}`);
    try {
      return openFile(lmdb, path);
    } catch {
      removeFiles(path);
      return openFile(lmdb, path);
    }
  } catch {
    return undefined;
  }
}

function openFile(lmdb: LmdbModule, path: string): Lmdb {
  return lmdb.open({ path, noSubdir: true, keyEncoding: 'binary', encoding: 'binary', cache: false });
}

/** Writes a file, reads it, and removes it. */
function tryFile(path: string): void {
  try {
    writeFileSync(path, Buffer.alloc(4 * 4096, 1), { flag: 'wx' });
    readFileSync(path);
  } finally {
    rmSync(path, { force: true });
  }
}

function removeFiles(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}-lock`, { force: true });
}

/**
 * Where a project's stat cache belongs: `preferred`, or a private folder on a local disk when that is on a network file
 * system; undefined when neither will do.
 */
export function statCacheFolder(preferred: string): string | undefined {
  try {
    mkdirSync(preferred, { recursive: true });
    if (!isOnNetwork(preferred)) return preferred;
    const { uid } = userInfo();
    const own = join(tmpdir(), `dag-stat-${uid}`);
    mkdirSync(own, { recursive: true, mode: 0o700 });
    const stats = lstatSync(own);
    if (!stats.isDirectory() || stats.uid !== uid || (stats.mode & 0o077) !== 0) return undefined;
    return join(own, hashText(preferred).slice(7, 39));
  } catch {
    return undefined;
  }
}
