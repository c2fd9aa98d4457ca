import { chmodSync, constants, copyFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, FailureError } from '@dag/model';
import {
  hashFile,
  isSettled,
  nowNs,
  OBJECT_MODE,
  removeFile,
  type StatCache,
  type Store,
  tempName,
  withIo,
} from '@dag/store';

/** Whether a cache file has its object's bytes: one that is untouched since its digest was recorded is believed, any other is hashed. */
export function isWhole(file: string, digest: Digest, statCache: StatCache): boolean {
  const before = nowNs();
  const stats = statSync(file, { bigint: true });
  if (statCache.find(stats) === digest) return true;
  if (hashFile(file).digest !== digest) return false;
  if (isSettled(stats, before)) statCache.record(stats, digest);
  return true;
}

/** Stores the content of a file, which is to have this digest. */
export function storeAnew(store: Store, file: string, digest: Digest): void {
  const temp = join(store.tmpFolder(), tempName('object'));
  try {
    withIo('store', file, () => {
      copyFileSync(file, temp, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
      chmodSync(temp, OBJECT_MODE);
    });
    if (hashFile(temp).digest !== digest) throw changedWhileStored(file);
    store.importFile(temp, digest);
  } finally {
    removeFile(temp);
  }
}

/** @param file as the message is to name it. */
export function changedWhileStored(file: string): FailureError {
  return new FailureError({
    code: 'io',
    message: `can't store ${file}: it changes while it is read`,
    path: file,
    hint: 'wait until whatever writes it has ended',
  });
}
