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
