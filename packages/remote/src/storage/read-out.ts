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

/** Passes the body of an answer on, until it ends, breaks off, stands still for too long, or the signal fires. */
export async function* readOut(
  body: Readable & { setTimeout?: unknown },
  { size, signal, stallMs, problemOf }: Reading,
): AsyncGenerator<Uint8Array> {
  const stop = () => body.destroy(new Error('aborted'));
  signal?.addEventListener('abort', stop, { once: true });
  if (typeof body.setTimeout === 'function') {
    body.setTimeout(stallMs, () => body.destroy(Object.assign(new Error('nothing came'), { name: 'TimeoutError' })));
  }
  let left = size;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      signal?.throwIfAborted();
      left -= chunk.length;
      yield chunk;
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
