import type { Readable } from 'node:stream';
import { StorageError } from './problem.ts';

/** A connection on which nothing moves for so long, in milliseconds, is given up, unless the remote says otherwise. */
export const STALL_MS = 60_000;

interface Reading {
  /** Bytes that must come: fewer are a failure. */
  readonly size: number;
  readonly signal: AbortSignal | undefined;
  readonly stallMs: number;
  /** What an error of the stream means. */
  readonly problemOf: (error: unknown) => unknown;
}

/** A body that brings fewer bytes than this while it is waited for as long as a stall may take is as good as none. */
const LEAST_BYTES = 4096;

/**
 * Passes the body of an answer on, until it ends, breaks off, stands still or trickles for too long, or the signal fires. Time
 * in which nobody asks for more does not count.
 */
export async function* readOut(
  body: Readable,
  { size, signal, stallMs, problemOf }: Reading,
): AsyncGenerator<Uint8Array> {
  const stop = () => body.destroy(new Error('aborted'));
  const stalled = () => body.destroy(Object.assign(new Error('next to nothing came'), { name: 'TimeoutError' }));
  if (signal?.aborted === true) stop();
  signal?.addEventListener('abort', stop, { once: true });
  const chunks = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  let left = size;
  let waited = 0;
  let came = 0;
  try {
    for (;;) {
      const since = performance.now();
      const timer = setTimeout(stalled, stallMs - waited);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done === true) break;
      signal?.throwIfAborted();
      waited += performance.now() - since;
      came += next.value.length;
      if (came >= LEAST_BYTES) waited = came = 0;
      left -= next.value.length;
      yield next.value;
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw problemOf(error);
  } finally {
    signal?.removeEventListener('abort', stop);
    body.destroy();
  }
  if (left !== 0) throw new StorageError('busy', `${left} bytes of ${size} did not come`, { transient: true });
}
