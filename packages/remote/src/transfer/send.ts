import { createReadStream } from 'node:fs';
import { type Digest, FailureError } from '@dag/model';
import type { Store } from '@dag/store';
import pLimit from 'p-limit';
import { objectKey } from '../layout.ts';
import type { Body } from '../storage/storage.ts';
import type { ObjectProgress } from './progress.ts';
import type { Session } from './session.ts';

/** Objects up to this many bytes go through memory whole; larger ones are streamed, a few at a time. */
export const WHOLE_LIMIT = 8 * 1024 * 1024;
export const STREAMS_AT_ONCE = 2;
const READ_SIZE = 1024 * 1024;

/** Sends objects of a store, each checked against its digest just before. */
export interface Sender {
  /**
   * @param replace set where a damaged object lies under that key.
   * @returns whether it was sent (`present`: someone else was faster), or why it can't be in words.
   */
  readonly send: (
    digest: Digest,
    replace: boolean,
    progress: ObjectProgress,
  ) => Promise<'stored' | 'present' | { readonly reason: string }>;
}

export function createSender(session: Session, store: Store): Sender {
  const { storage, signal } = session;
  const streams = pLimit(STREAMS_AT_ONCE);

  const put: (digest: Digest, body: Body, replace: boolean, progress: ObjectProgress) => Promise<'stored' | 'present'> =
    async (digest, body, replace, progress) => {
      let tries = 0;
      const result = await session.call(async () => {
        tries++;
        progress.restart();
        return await storage.put(objectKey(digest), body, { signal, replace, onSent: progress.advance });
      });
      // After a try whose answer was lost, it may well be our own that is there.
      return tries > 1 ? 'stored' : result;
    };

  return {
    send: async (digest, replace, progress) => {
      try {
        const size = store.size(digest);
        if (size === undefined) return { reason: `not in the cache, and not in the remote` };
        if (size <= WHOLE_LIMIT) {
          return await put(digest, { kind: 'bytes', bytes: store.read(digest) }, replace, progress);
        }
        return await streams(async () => {
          signal.throwIfAborted();
          const wrong = store.check(digest);
          if (wrong !== undefined) return { reason: wrong === 'missing' ? 'not in the cache' : 'damaged in the cache' };
          return await put(digest, { kind: 'chunks', size, open: () => readObject(store, digest) }, replace, progress);
        });
      } catch (error) {
        if (!(error instanceof FailureError) || error.failure.code !== 'objects-failed') throw error;
        return { reason: error.failure.failed[0]?.reason ?? error.failure.message };
      }
    },
  };
}

async function* readObject(store: Store, digest: Digest): AsyncGenerator<Uint8Array> {
  const place = store.locate(digest);
  if (place === undefined) throw new Error(`${digest} left the cache while it was sent`);
  const stream =
    place.kind === 'loose'
      ? createReadStream(place.file, { highWaterMark: READ_SIZE })
      : createReadStream(place.pack, {
          start: place.offset,
          end: place.offset + place.size - 1,
          highWaterMark: READ_SIZE,
        });
  try {
    yield* stream;
  } finally {
    stream.destroy();
  }
}
