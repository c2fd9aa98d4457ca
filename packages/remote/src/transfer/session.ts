import { setMaxListeners } from 'node:events';
import pLimit from 'p-limit';
import type { TransferEvent, TransferOptions } from '../remote.ts';
import type { Storage } from '../storage/storage.ts';
import { type RetryPolicy, retry } from './retry.ts';

/** One operation on a remote: its calls share a limit, a signal and a listener. */
export interface Session {
  readonly storage: Storage;
  /** Fires when the caller's signal does, or when the operation has failed as a whole. */
  readonly signal: AbortSignal;
  readonly emit: (event: TransferEvent) => void;
  /** Makes an idempotent call on the storage, again where that makes sense. */
  readonly call: <T>(call: () => Promise<T>) => Promise<T>;
  /**
   * Does the work for all items, some at a time. The first error ends the whole session: the others are broken off, and it
   * is thrown when none of them runs any more.
   */
  readonly forEach: <T>(items: Iterable<T>, work: (item: T) => Promise<void>) => Promise<void>;
}

export function startSession(storage: Storage, policy: RetryPolicy, options: TransferOptions): Session {
  const inner = new AbortController();
  const signal = options.signal === undefined ? inner.signal : AbortSignal.any([options.signal, inner.signal]);
  // One listener a call in flight is no leak.
  setMaxListeners(0, signal);
  const emit = options.onEvent ?? (() => {});
  const jobs = Math.max(1, Math.floor(options.jobs ?? storage.capabilities.jobs));
  return {
    storage,
    signal,
    emit,
    call: (call) =>
      retry(call, policy, signal, (attempt, waitMs, reason) => emit({ kind: 'retry', attempt, waitMs, reason })),
    forEach: async (items, work) => {
      signal.throwIfAborted();
      const limit = pLimit(jobs);
      let first: { readonly error: unknown } | undefined;
      await limit.map(items, async (item) => {
        if (first !== undefined) return;
        try {
          await work(item);
        } catch (error) {
          first ??= { error };
          inner.abort(error);
        }
      });
      if (first !== undefined) throw first.error;
      signal.throwIfAborted();
    },
  };
}
