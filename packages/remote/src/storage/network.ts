import { type Problem, StorageError } from './problem.ts';

/** The fields that errors of Node's sockets, of TLS and of libraries above them have, as far as they have them. */
export interface Thrown {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

export type KnownCodes = Readonly<Record<string, readonly [Problem, transient: boolean]>>;

/** What the codes of sockets and names of hosts mean. */
export const NETWORK_CODES: KnownCodes = {
  TimeoutError: ['busy', true],
  ECONNRESET: ['busy', true],
  EPIPE: ['busy', true],
  ERR_STREAM_PREMATURE_CLOSE: ['busy', true],
  ECONNREFUSED: ['unreachable', true],
  ETIMEDOUT: ['unreachable', true],
  EHOSTUNREACH: ['unreachable', true],
  ENETUNREACH: ['unreachable', true],
  EHOSTDOWN: ['unreachable', true],
  EAI_AGAIN: ['dns', true],
  ENOTFOUND: ['dns', false],
  EPROTO: ['tls', false],
};

const TLS = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(VERIFY|GET)_|HOSTNAME_MISMATCH)/;

/** What is known of the answer to a request that failed. */
interface AnswerState {
  /** Whether there was none. */
  readonly unanswered?: boolean;
  readonly retryAfterMs?: number | undefined;
}

/** What an error means by a code that is known, its own or that of what caused it; undefined where there is none. */
export function problemByCode(
  error: Error,
  codes: KnownCodes = NETWORK_CODES,
  answer: AnswerState = { unanswered: true },
): StorageError | undefined {
  for (const thrown of withCauses(error)) {
    for (const code of [thrown.code, thrown.name]) {
      if (typeof code !== 'string') continue;
      const known = Object.hasOwn(codes, code) ? codes[code] : undefined;
      if (known !== undefined)
        return new StorageError(known[0], detail(thrown, code), { transient: known[1], ...answer });
      if (TLS.test(code)) return new StorageError('tls', detail(thrown, code), { transient: false });
    }
  }
  return undefined;
}

/** Whether an error without a code says that the other side went away in the middle. */
export function isBrokenOff({ message }: Error): boolean {
  return /socket hang up|premature close|aborted|Parse Error|other side closed/i.test(message);
}

/** What a status of HTTP means, whoever speaks it; undefined where that depends. */
export function problemByStatus(status: number, text: string, answer: AnswerState = {}): StorageError | undefined {
  if (status === 507) return new StorageError('full', text, { transient: false });
  if (status === 501 || status === 505) return new StorageError('refused', text, { transient: false });
  if (status >= 500 || status === 429 || status === 408) {
    return new StorageError('busy', text, { transient: true, ...answer });
  }
  if (status === 401) return new StorageError('credentials', text, { transient: false });
  if (status === 403) return new StorageError('permission', text, { transient: false });
  return undefined;
}

/** What a Retry-After header asks for, seconds or a date; in milliseconds from now. */
export function retryAfterMs(header: unknown): number | undefined {
  if (typeof header !== 'string' || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - Date.now() : seconds * 1000;
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/** An error in one line, with its code. */
export function detail(thrown: Thrown, code: string): string {
  const message = typeof thrown.message === 'string' ? (thrown.message.split('\n')[0] ?? '').slice(0, 200) : '';
  if (message === '' || message === 'UnknownError') return code;
  return message.includes(code) ? message : `${code}: ${message}`;
}

/** The error, and what caused it: libraries wrap, and Node gathers the tries for several addresses of one host. */
function* withCauses(error: Error): Generator<Thrown> {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    yield at as Thrown;
    if (at instanceof AggregateError) for (const inner of at.errors) yield inner as Thrown;
    at = at.cause;
  }
}
