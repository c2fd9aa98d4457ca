/** What can be wrong with a storage, as far as the user's way out of it differs. */
export type Problem =
  /** The name of the host does not resolve. */
  | 'dns'
  /** Nothing listens there, or the way there is broken. */
  | 'unreachable'
  /** It answers that it can't at the moment (5xx, 429), or breaks off. */
  | 'busy'
  /** No secure connection could be had. */
  | 'tls'
  /** No credentials were found. */
  | 'no-credentials'
  /** The credentials are wrong. */
  | 'credentials'
  /** The credentials were good once. */
  | 'expired'
  /** The credentials don't allow it. */
  | 'permission'
  /** No such bucket, or no such folder. */
  | 'no-bucket'
  /** The bucket lies in another region. */
  | 'region'
  /** The two clocks differ too much. */
  | 'clock'
  /** No room left. */
  | 'full'
  /** Nothing can be put there, by anyone. */
  | 'read-only'
  /** It can't list, and what it has was never published for such readers. */
  | 'unpublished'
  /** It is not what a remote looks like, or a newer version's. */
  | 'format'
  /** Anything else that the server refuses. */
  | 'refused';

/** A storage could not do what it was asked. `detail` is the system's or server's own words, already redacted. */
export class StorageError extends Error {
  readonly problem: Problem;
  /** Whether the same call may succeed a little later. */
  readonly transient: boolean;
  /** How long the server asks to be left alone, in milliseconds; undefined where it does not. */
  readonly retryAfterMs: number | undefined;
  /** Whether the connection broke before there was an answer: what was asked for may have been done. */
  readonly unanswered: boolean;
  /** Whether something else was put than was sent: only a put that replaces it helps. */
  readonly garbled: boolean;
  constructor(
    problem: Problem,
    detail: string,
    options: { transient: boolean; retryAfterMs?: number | undefined; unanswered?: boolean; garbled?: boolean },
  ) {
    super(detail);
    this.name = 'StorageError';
    this.problem = problem;
    this.transient = options.transient;
    this.retryAfterMs = options.retryAfterMs;
    this.unanswered = options.unanswered ?? false;
    this.garbled = options.garbled ?? false;
  }
}
