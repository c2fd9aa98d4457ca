import { constants, copyFileSync, linkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFile, tempName, withIo } from '@dag/store';
import type { LinkStrategy } from './types.ts';

/** Whether a way from the cache into the workspace works on the file systems that the two are on. */
export interface LinkProbe {
  readonly strategy: LinkStrategy;
  readonly works: boolean;
  /** The system's error code, where it does not. */
  readonly code?: string;
}

const BYTES = Buffer.alloc(4096, 'dag');

/**
 * Tries every link strategy with a real file, and removes it again.
 * @param from a folder on the cache's file system. @param to a folder on the workspace's.
 */
export function probeLinks(from: string, to: string): LinkProbe[] {
  const object = join(from, tempName('probe'));
  withIo('write', object, () => writeFileSync(object, BYTES, { flag: 'wx' }));
  try {
    return (['reflink', 'hardlink', 'symlink', 'copy'] as const).map((strategy) => {
      const link = join(to, `.dag-${tempName('tmp')}`);
      try {
        make(strategy, object, link);
        return { strategy, works: true };
      } catch (error) {
        return { strategy, works: false, code: (error as NodeJS.ErrnoException).code ?? 'unknown' };
      } finally {
        removeFile(link);
      }
    });
  } finally {
    removeFile(object);
  }
}

function make(strategy: LinkStrategy, object: string, link: string): void {
  switch (strategy) {
    case 'reflink':
      copyFileSync(object, link, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
      break;
    case 'hardlink':
      linkSync(object, link);
      break;
    case 'symlink':
      symlinkSync(object, link);
      break;
    case 'copy':
      copyFileSync(object, link, constants.COPYFILE_EXCL);
      break;
  }
}
