import { type Problem, StorageError } from '../problem.ts';

/** The fields that errors of the SDK, of Node's sockets and of TLS have, as far as they have them. */
interface Thrown {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number };
}

const CODES: Readonly<Record<string, readonly [Problem, transient: boolean]>> = {
  NoSuchBucket: ['no-bucket', false],
  InvalidBucketName: ['no-bucket', false],
  AccessDenied: ['permission', false],
  AllAccessDisabled: ['permission', false],
  AccountProblem: ['permission', false],
  InvalidAccessKeyId: ['credentials', false],
  SignatureDoesNotMatch: ['credentials', false],
  ExpiredToken: ['credentials', false],
  TokenRefreshRequired: ['credentials', false],
  InvalidToken: ['credentials', false],
  InvalidClientTokenId: ['credentials', false],
  InvalidSecurity: ['credentials', false],
  CredentialsProviderError: ['no-credentials', false],
  TokenProviderError: ['no-credentials', false],
  PermanentRedirect: ['region', false],
  AuthorizationHeaderMalformed: ['region', false],
  IllegalLocationConstraintException: ['region', false],
  RequestTimeTooSkewed: ['clock', false],
  QuotaExceeded: ['full', false],
  XMinioStorageFull: ['full', false],
  // A body that changed on its way: the server has refused it.
  BadDigest: ['busy', true],
  XAmzContentSHA256Mismatch: ['busy', true],
  XAmzContentChecksumMismatch: ['busy', true],
  IncompleteBody: ['busy', true],
  // Two writers at the same instant.
  ConditionalRequestConflict: ['busy', true],
  OperationAborted: ['busy', true],
  // An upload in parts that someone has cleaned away.
  NoSuchUpload: ['busy', true],
  SlowDown: ['busy', true],
  RequestTimeout: ['busy', true],
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

/** What something thrown by the SDK means, in the words of the storage interface; bugs come back as they are. */
export function s3Problem(error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  for (const thrown of withCauses(error)) {
    for (const code of [thrown.code, thrown.name]) {
      if (typeof code !== 'string') continue;
      const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
      if (known !== undefined) return new StorageError(known[0], detail(thrown, code), { transient: known[1] });
      if (TLS.test(code)) return new StorageError('tls', detail(thrown, code), { transient: false });
    }
  }
  const text = detail(error, status === undefined ? error.name : String(status));
  if (status === undefined) {
    const brokeOff = /socket hang up|premature close|aborted|Parse Error|other side closed/i.test(error.message);
    if (brokeOff) return new StorageError('busy', text, { transient: true });
    if (/Could not load credentials|Could not resolve credentials|Token is expired|SSO/i.test(error.message)) {
      return new StorageError('no-credentials', text, { transient: false });
    }
    return error;
  }
  if (status === 507) return new StorageError('full', text, { transient: false });
  if (status >= 500 || status === 429 || status === 408) return new StorageError('busy', text, { transient: true });
  if (status === 401) return new StorageError('credentials', text, { transient: false });
  if (status === 403) return new StorageError('permission', text, { transient: false });
  if (status >= 300 && status < 400) return new StorageError('region', text, { transient: false });
  // An answer that is no S3 answer: the SDK can't read it, but a stumbling server or a proxy may have cut it.
  if (status < 300) return new StorageError('busy', text, { transient: true });
  return new StorageError('refused', text, { transient: false });
}

/** HTTP status of the answer that an error speaks of. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = error as Thrown;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Whether the bucket, rather than the object, is what a 404 is about. */
export function isAbsent(error: unknown): boolean {
  return (
    statusOf(error) === 404 && (error as Thrown).name !== 'NoSuchBucket' && (error as Thrown).name !== 'NoSuchUpload'
  );
}

/** The error, and what caused it: the SDK wraps, and Node gathers the tries for several addresses of one host. */
function* withCauses(error: Error): Generator<Thrown> {
  let at: unknown = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth++) {
    yield at as Thrown;
    if (at instanceof AggregateError) for (const inner of at.errors) yield inner as Thrown;
    at = at.cause;
  }
}

function detail(thrown: Thrown, code: string): string {
  const message = typeof thrown.message === 'string' ? (thrown.message.split('\n')[0] ?? '').slice(0, 200) : '';
  if (message === '' || message === 'UnknownError') return code;
  return message.includes(code) ? message : `${code}: ${message}`;
}
