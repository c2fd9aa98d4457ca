import {
  detail,
  isBrokenOff,
  type KnownCodes,
  NETWORK_CODES,
  problemByCode,
  problemByStatus,
  retryAfterMs,
  type Thrown,
} from '../network.ts';
import { StorageError } from '../problem.ts';

/** An error of the SDK, as far as it has these fields. */
interface SdkError extends Thrown {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, unknown>> };
}

const CODES: KnownCodes = {
  ...NETWORK_CODES,
  NoSuchBucket: ['no-bucket', false],
  InvalidBucketName: ['no-bucket', false],
  AccessDenied: ['permission', false],
  AllAccessDisabled: ['permission', false],
  AccountProblem: ['permission', false],
  InvalidAccessKeyId: ['credentials', false],
  SignatureDoesNotMatch: ['credentials', false],
  ExpiredToken: ['expired', false],
  ExpiredTokenException: ['expired', false],
  TokenRefreshRequired: ['expired', false],
  InvalidToken: ['credentials', false],
  InvalidClientTokenId: ['credentials', false],
  InvalidSecurity: ['credentials', false],
  CredentialsProviderError: ['no-credentials', false],
  TokenProviderError: ['no-credentials', false],
  PermanentRedirect: ['region', false],
  AuthorizationHeaderMalformed: ['region', false],
  IllegalLocationConstraintException: ['region', false],
  RequestTimeTooSkewed: ['clock', false],
  RequestExpired: ['clock', false],
  NotImplemented: ['refused', false],
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
  SlowDown: ['busy', true],
  ServiceUnavailable: ['busy', true],
  InternalError: ['busy', true],
  RequestTimeout: ['busy', true],
};

/** What something thrown by the SDK means, in the words of the storage interface; bugs come back as they are. */
export function s3Problem(error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  const status = statusOf(error);
  const answer = { unanswered: status === undefined, retryAfterMs: retryAfter(error) };
  const known = problemByCode(error, CODES, answer);
  if (known !== undefined) return isOutOfDate(known) ? outOfDate(known.message) : known;
  const text = detail(error, status === undefined ? error.name : String(status));
  if (status === undefined) {
    if (isBrokenOff(error)) return new StorageError('busy', text, { transient: true, ...answer });
    if (/Could not load credentials|Could not resolve credentials|Token is expired|SSO/i.test(error.message)) {
      return new StorageError('no-credentials', text, { transient: false });
    }
    return error;
  }
  const problem = problemByStatus(status, text, answer);
  if (problem !== undefined) return problem;
  if (status >= 300 && status < 400) return new StorageError('region', text, { transient: false });
  // An answer that is no S3 answer: the SDK can't read it, but a stumbling server, or what stands before it, may have made it.
  if (status < 300 || status === 404) return new StorageError('busy', text, { transient: true });
  return new StorageError('refused', text, { transient: false });
}

/** HTTP status of the answer that an error speaks of. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = error as SdkError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Whether the server says that there is no such object: not so a 404 about the bucket, or from something that is no S3 server. */
export function isAbsent(error: unknown): boolean {
  const { name } = error as SdkError;
  return statusOf(error) === 404 && (name === 'NoSuchKey' || name === 'NotFound');
}

/** What a Retry-After header of the answer asks for, in milliseconds from now. */
function retryAfter(error: unknown): number | undefined {
  return retryAfterMs((error as SdkError).$response?.headers?.['retry-after']);
}

/** Credentials that were found, but have run out: the providers say it in words alone. */
function isOutOfDate({ problem, message }: StorageError): boolean {
  return problem === 'no-credentials' && /\bexpired\b|sso login/i.test(message);
}

function outOfDate(text: string): StorageError {
  return new StorageError('expired', text, { transient: false });
}
