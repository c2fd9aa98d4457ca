import {
  detail,
  isBrokenOff,
  type KnownCodes,
  NETWORK_CODES,
  problemByCode,
  problemByStatus,
  type Thrown,
} from '../network.ts';
import { StorageError } from '../problem.ts';

/** An error of the SDK, as far as it has these fields. */
interface SdkError extends Thrown {
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly statusCode?: number };
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
};

/** What something thrown by the SDK means, in the words of the storage interface; bugs come back as they are. */
export function s3Problem(error: unknown): unknown {
  if (error instanceof StorageError || !(error instanceof Error)) return error;
  const known = problemByCode(error, CODES);
  if (known !== undefined) return known;
  const status = statusOf(error);
  const text = detail(error, status === undefined ? error.name : String(status));
  if (status === undefined) {
    if (isBrokenOff(error)) return new StorageError('busy', text, { transient: true });
    if (/Could not load credentials|Could not resolve credentials|Token is expired|SSO/i.test(error.message)) {
      return new StorageError('no-credentials', text, { transient: false });
    }
    return error;
  }
  const problem = problemByStatus(status, text);
  if (problem !== undefined) return problem;
  if (status >= 300 && status < 400) return new StorageError('region', text, { transient: false });
  // An answer that is no S3 answer: the SDK can't read it, but a stumbling server or a proxy may have cut it.
  if (status < 300) return new StorageError('busy', text, { transient: true });
  return new StorageError('refused', text, { transient: false });
}

/** HTTP status of the answer that an error speaks of. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = error as SdkError;
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Whether the bucket, rather than the object, is what a 404 is about. */
export function isAbsent(error: unknown): boolean {
  return (
    statusOf(error) === 404 && (error as Thrown).name !== 'NoSuchBucket' && (error as Thrown).name !== 'NoSuchUpload'
  );
}
