import { setMaxListeners } from 'node:events';
import type { TransferEvent, TransferOptions } from '../remote.ts';
import type { Storage } from '../storage/storage.ts';
import { TIMES, type Times } from '../times.ts';
import { Pace } from './pace.ts';
import { type RetryPolicy, retry } from './retry.ts';

/** One operation on a remote: its calls share a pace, a signal and a listener. */
export interface Session {
  readonly storage: Storage;
  /** Fires when the caller's signal does, or when the operation has failed as a whole. */
  readonly signal: AbortSignal;
  readonly emit: (event: TransferEvent) => void;
  /** The most calls that run at once. */
  readonly jobs: number;
  /** Makes an idempotent call on the storage when there is room for it, again where that makes sense. */
  readonly call: <T>(call: () => Promise<T>) => Promise<T>;
  /**
   * Does the work for all items, some at a time. The first error ends the whole session: the others are broken off, and it
   * is thrown when none of them runs any more.
   */
  readonly forEach: <T>(items: Iterable<T> | AsyncIterable<T>, work: (item: T) => Promise<void>) => Promise<void>;
  /** Ends the whole session: calls in flight are broken off. */
  readonly fail: (error: unknown) => void;
  /** The time, in milliseconds since 1970. */
  readonly now: () => number;
  readonly times: Times;
  /** The clone of a project that this is done for: 64 hex digits. */
  readonly by: string | undefined;
}

/** What a session is handed of its surroundings. */
export interface Surroundings {
  readonly now?: (() => number) | undefined;
  readonly times?: Partial<Times> | undefined;
  readonly by?: string | undefined;
}

export function startSession(
  storage: Storage,
  policy: RetryPolicy,
  options: TransferOptions,
  { now = Date.now, times, by }: Surroundings = {},
): Session {
  const inner = new AbortController();
  const signal = options.signal === undefined ? inner.signal : AbortSignal.any([options.signal, inner.signal]);
  // One listener a call in flight is no leak.
  setMaxListeners(0, signal);
  const emit = options.onEvent ?? (() => {});
  const jobs = Math.max(1, Math.floor(options.jobs ?? storage.capabilities.jobs));
  const pace = new Pace(jobs);
  return {
    storage,
    signal,
    emit,
    jobs,
    call: (call) =>
      retry(
        () => pace.run(call),
        policy,
        signal,
        (attempt, waitMs, reason) => emit({ kind: 'retry', attempt, waitMs, reason }),
      ),
    forEach: async (items, work) => {
      signal.throwIfAborted();
      let first: { readonly error: unknown } | undefined;
      const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
      const takeTurns = async (): Promise<void> => {
        try {
          while (first === undefined) {
            const next = await iterator.next();
            if (next.done === true) return;
            await work(next.value);
          }
        } catch (error) {
          first ??= { error };
          inner.abort(error);
        }
      };
      await Promise.all(Array.from({ length: jobs }, takeTurns));
      if (first !== undefined) throw (first as { readonly error: unknown }).error;
      signal.throwIfAborted();
    },
    fail: (error) => inner.abort(error),
    now,
    times: { ...TIMES, ...times },
    by,
  };
}
