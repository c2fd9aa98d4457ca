import { isErrno } from '@dag/store';
import type { LinkStrategy } from '../types.ts';

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

/** Strategies to be tried for files of one folder: one that the file systems don't have is tried once. */
export class Strategies {
  #usable: readonly LinkStrategy[];

  constructor(all: readonly LinkStrategy[]) {
    this.#usable = all;
  }

  get usable(): readonly LinkStrategy[] {
    return this.#usable;
  }

  /** Tells that one did not work. */
  failed(strategy: LinkStrategy, error: unknown): void {
    if (!isErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'ENOSYS', 'ENOTTY')) return;
    this.#usable = this.#usable.filter((one) => one !== strategy);
  }
}
