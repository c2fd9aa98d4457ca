import { isErrno } from '@dag/store';

/**
 * Whether an error of a reflink or link says "not here" (another file system, no such feature, too many links), so that the
 * next strategy is tried. Anything else is a real failure.
 */
export function canFallThrough(error: unknown): boolean {
  return isErrno(
    error,
    'ENOTSUP',
    'EOPNOTSUPP',
    'EXDEV',
    'EINVAL',
    'ENOSYS',
    'ENOTTY',
    'EPERM',
    'EMLINK',
    'EACCES',
    'EBADF',
    'ETXTBSY',
  );
}

/** Whether a path is that of an object in a cache, this one or one that stood elsewhere. */
export function isObjectPath(path: string): boolean {
  return /\/objects\/[0-9a-f]{2}\/[0-9a-f]{62}$/.test(path);
}
