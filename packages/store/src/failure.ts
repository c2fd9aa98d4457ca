import { type Digest, digestHex, FailureError } from '@dag/model';

/** An object that the cache does not have. */
export class ObjectMissing extends FailureError {
  readonly digest: Digest;
  constructor(digest: Digest) {
    super({
      code: 'objects-failed',
      message: `object ${shortName(digest)} is not in the cache`,
      failed: [{ path: '', digest, reason: 'not in the cache' }],
      hint: 'fetch it with "dag fetch", or make it again with "dag repro"',
    });
    this.name = 'ObjectMissing';
    this.digest = digest;
  }
}

/** An object whose bytes are not what its name says. */
export class ObjectDamaged extends FailureError {
  readonly digest: Digest;
  constructor(digest: Digest, problem: string, quarantined: string | undefined) {
    super({
      code: 'objects-failed',
      message: `object ${shortName(digest)} in the cache is damaged: ${problem}${quarantined === undefined ? '' : `; its bytes are now in ${quarantined}`}`,
      failed: [
        {
          path: '',
          digest,
          reason: `damaged: ${problem}${quarantined === undefined ? '' : `; its bytes are now in ${quarantined}`}`,
        },
      ],
      hint: 'fetch it again with "dag fetch", or make it again with "dag repro -f"',
    });
    this.name = 'ObjectDamaged';
    this.digest = digest;
  }
}

/** A digest as people can read it aloud: algorithm and 12 hex digits. */
export function shortName(digest: Digest): string {
  return `blake3:${digestHex(digest).slice(0, 12)}`;
}

const REASONS: Readonly<Record<string, readonly [string, string | undefined]>> = {
  ENOSPC: ['the disk is full', 'free some space (dag gc helps) and run it again: nothing half-written is kept'],
  EDQUOT: [
    'the disk quota is used up',
    'free some space (dag gc helps) and run it again: nothing half-written is kept',
  ],
  EACCES: ['permission denied', 'change its permissions or owner'],
  EPERM: ['not permitted', 'change its permissions or owner'],
  EROFS: ['the file system is read-only', undefined],
  EBUSY: ['it is in use, as a mount point is', 'an out may lie in a mounted folder, but not be one'],
  EIO: ['the disk reports an error', 'look into the system log, and have a copy of your data elsewhere'],
  EMFILE: ['too many open files', 'raise the limit with ulimit -n'],
  ENFILE: ['too many open files on this machine', undefined],
  ENAMETOOLONG: ['the name is too long for this file system', undefined],
  ELOOP: ['too many symlinks on the way', undefined],
  ENOENT: ['it is not there', undefined],
  ENOTDIR: ['a part of the path is not a folder', undefined],
  EISDIR: ['it is a folder', undefined],
  EFBIG: ['the file is too large for this file system', undefined],
  ESTALE: ['the network file system lost it', undefined],
};

/** Whether something thrown is a file system's error with this code. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === 'string' && codes.includes(code);
}

/**
 * What to throw for an error of the file system: a FailureError `io` that says what was being done to which path.
 * Anything else (a bug, a FailureError) comes back as it is.
 */
export function ioFailure(error: unknown, doing: string, path: string): unknown {
  if (error instanceof FailureError || !(error instanceof Error)) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code !== 'string' || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  const [reason, hint] = REASONS[code] ?? [error.message, undefined];
  return new FailureError(
    { code: 'io', message: `can't ${doing} ${path}: ${reason}`, path, ...(hint === undefined ? {} : { hint }) },
    { cause: error },
  );
}

/** Runs `work`; file-system errors come out as FailureError `io`. */
export function withIo<T>(doing: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw ioFailure(error, doing, path);
  }
}
