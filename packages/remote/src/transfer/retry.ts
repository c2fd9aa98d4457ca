import { StorageError } from '../storage/problem.ts';

/** How often, and after what pauses, a call that failed for the moment is made again. */
export interface RetryPolicy {
  /** Calls in all. */
  readonly attempts: number;
  /** Milliseconds before the second call, at most; doubled for each one after it. */
  readonly firstDelayMs: number;
  /** No pause is longer than this. */
  readonly maxDelayMs: number;
  /** The longest that a server is left alone because it asks for it (Retry-After). */
  readonly maxAskedMs: number;
  /** Uniform in [0, 1): the pauses are drawn from half to the whole of the above, so that many clients don't march in step. */
  readonly random: () => number;
  /** Waits so many milliseconds, or throws the signal's reason as soon as it fires. */
  readonly wait: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export const DEFAULT_RETRY: RetryPolicy = {
  attempts: 6,
  firstDelayMs: 200,
  maxDelayMs: 5_000,
  maxAskedMs: 30_000,
  random: Math.random,
  wait: pause,
};

/**
 * Makes a call until it succeeds, fails for good, or has failed `policy.attempts` times. The call must be idempotent.
 * @param onRetry told before each pause.
 */
export async function retry<T>(
  call: () => Promise<T>,
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  onRetry?: (attempt: number, waitMs: number, reason: string) => void,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof StorageError) || !error.transient || attempt >= policy.attempts) throw error;
      const longest = Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempt - 1));
      const asked = Math.min(policy.maxAskedMs, error.retryAfterMs ?? 0);
      const waitMs = Math.round(asked + longest * (0.5 + policy.random() / 2));
      onRetry?.(attempt, waitMs, error.message);
      await policy.wait(waitMs, signal);
    }
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
