import { lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyPath } from '@dag/model';
import { removeFile, tempName, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import type { FileFacts } from './facts.ts';
import { innerFirst } from './node.ts';
import { look } from './observe.ts';

const NS_PER_MS = 1_000_000n;

/** See `Workspace.fileTime`. */
export function fileTime(context: Context): number {
  const file = join(context.tmp(), tempName('tmp'));
  return withIo('write', '.cache/tmp', () => {
    writeFileSync(file, '', { flag: 'wx' });
    try {
      return Math.ceil(lstatSync(file).ctimeMs);
    } finally {
      removeFile(file);
    }
  });
}

/** See `Workspace.isTouchedSince`. */
export async function isTouchedSince(context: Context, path: AnyPath, time: number): Promise<boolean> {
  const limit = BigInt(Math.ceil(time)) * NS_PER_MS;
  for (const [, one] of await look(context, [path])) {
    if (one.kind === 'file') return isTouched(one.facts, 0, limit);
    if (one.kind === 'absent') return true;
    const isIn = ({ files, followed, facts }: (typeof one)['node']): boolean =>
      [...files, ...followed].some((_, i) => isTouched(facts, i, limit));
    return innerFirst(one.node).some(isIn);
  }
  return true;
}

/**
 * `ctime` alone tells too much: it changes with the owner, with each further name that a file gets in the cache, and when the
 * project is copied or restored from a backup. `mtime` alone may lie in the future.
 */
function isTouched(facts: FileFacts, i: number, limit: bigint): boolean {
  const { mtimeNs, ctimeNs } = facts.row(i);
  return mtimeNs > limit && ctimeNs > limit;
}
