import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, FailureError } from '@dag/model';
import { hashBytes, type Store, tempName } from '@dag/store';
import pLimit from 'p-limit';
import { objectKey } from '../layout.ts';
import type { ObjectProgress } from './progress.ts';
import { STREAMS_AT_ONCE, WHOLE_LIMIT } from './send.ts';
import type { Session } from './session.ts';

/** Bytes and objects that wait for one common fsync; when the process dies, no more than these are to be fetched again. */
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_OBJECTS = 4096;
/** A damaged object is read so often before it is believed to be damaged there, and not on its way. */
const DAMAGED_TRIES = 2;

/** Why an object can't be had. */
export interface Refusal {
  readonly reason: string;
}

/** Brings files into a store. Nothing enters it that doesn't match its digest. */
export interface Receiver {
  /** @param size what the object must measure; not a byte more is read. */
  readonly receive: (digest: Digest, size: number, progress: ObjectProgress) => Promise<Refusal | undefined>;
  /** Makes all that was received visible and durable. */
  readonly finish: () => Promise<void>;
}

export function createReceiver(session: Session, store: Store): Receiver {
  const streams = pLimit(STREAMS_AT_ONCE);
  let batch = store.writeBatch();
  let bytes = 0;
  let objects = 0;
  let committing: Promise<void> = Promise.resolve();

  const flush = async () => {
    const full = batch;
    batch = store.writeBatch();
    bytes = 0;
    objects = 0;
    committing = committing.then(() => full.commit());
    await committing;
  };
  return {
    receive: async (digest, size, progress) => {
      if (size > WHOLE_LIMIT) {
        return await streams(() => untilBelieved(() => receiveStream(session, store, digest, size, progress)));
      }
      const content = await readVerified(session, digest, { exactly: size }, progress);
      if (!(content instanceof Uint8Array)) return content;
      batch.put(content, digest);
      bytes += size;
      objects++;
      if (bytes >= BATCH_BYTES || objects >= BATCH_OBJECTS) await flush();
      return undefined;
    },
    finish: async () => {
      if (objects > 0) await flush();
      else batch.discard();
      await committing;
    },
  };
}

/** How large an object may be, in bytes. */
export type Bound = { readonly exactly: number } | { readonly atMost: number };

/** Reads an object whole, checked against its digest. Never more than the bound goes into memory. */
export async function readVerified(
  session: Session,
  digest: Digest,
  bound: Bound,
  progress?: ObjectProgress,
): Promise<Uint8Array | Refusal> {
  const { storage, signal } = session;
  return await untilBelieved(async () => {
    const content = await session.call(async () => {
      progress?.restart();
      const reading = await storage.get(objectKey(digest), { signal });
      if (reading === undefined) return ABSENT;
      const wrong = wrongSize(reading.size, bound);
      if (wrong !== undefined) return wrong;
      const bytes = Buffer.allocUnsafeSlow(reading.size);
      let at = 0;
      for await (const chunk of reading.body) {
        if (at + chunk.length > bytes.length) return MISMATCH;
        bytes.set(chunk, at);
        at += chunk.length;
        progress?.advance(chunk.length);
      }
      return at === bytes.length ? bytes : MISMATCH;
    });
    if (!(content instanceof Uint8Array)) return content;
    return hashBytes(content) === digest ? content : MISMATCH;
  });
}

/** Streams an object into a file of the store's temp folder and has the store take it in. */
async function receiveStream(
  session: Session,
  store: Store,
  digest: Digest,
  size: number,
  progress: ObjectProgress,
): Promise<Refusal | undefined> {
  const { storage, signal } = session;
  const path = join(store.tmpFolder(), tempName('fetch'));
  try {
    const refusal = await session.call(async () => {
      progress.restart();
      const reading = await storage.get(objectKey(digest), { signal });
      if (reading === undefined) return ABSENT;
      const wrong = wrongSize(reading.size, { exactly: size });
      if (wrong !== undefined) return wrong;
      const file = await openLocal(path);
      try {
        for await (const chunk of reading.body) {
          await writeLocal(file, path, chunk);
          progress.advance(chunk.length);
        }
      } finally {
        await file.close();
      }
      return undefined;
    });
    if (refusal !== undefined) return refusal;
    try {
      store.importFile(path, digest);
      return undefined;
    } catch (error) {
      if (error instanceof FailureError && error.failure.code === 'objects-failed') return MISMATCH;
      throw error;
    }
  } finally {
    await rm(path, { force: true });
  }
}

const ABSENT: Refusal = { reason: 'not in the cache, and not in the remote' };
const MISMATCH: Refusal = { reason: 'damaged in the remote: its content does not match its digest' };

/** Once more for what does not match: the damage may have happened on the way. */
async function untilBelieved<T>(read: () => Promise<T | Refusal>): Promise<T | Refusal> {
  let result = await read();
  for (let tries = 1; result === MISMATCH && tries < DAMAGED_TRIES; tries++) result = await read();
  return result;
}

function wrongSize(size: number, bound: Bound): Refusal | undefined {
  if ('exactly' in bound) {
    if (size === bound.exactly) return undefined;
    return { reason: `damaged in the remote: ${size} bytes where there should be ${bound.exactly}` };
  }
  if (size <= bound.atMost) return undefined;
  return { reason: `not believable: a folder's listing of ${size} bytes, where at most ${bound.atMost} are read` };
}

async function openLocal(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w');
  } catch (error) {
    throw localFailure(error, path);
  }
}

async function writeLocal(file: FileHandle, path: string, chunk: Uint8Array): Promise<void> {
  try {
    await file.appendFile(chunk);
  } catch (error) {
    throw localFailure(error, path);
  }
}

function localFailure(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  return new FailureError({
    code: 'io',
    message: full ? `no room left to write ${path}` : `can not write ${path}: ${error.message}`,
    path,
    hint: full ? 'make room on that disk; what has been fetched is kept' : 'check the permissions of the cache folder',
  });
}
