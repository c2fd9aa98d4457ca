import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyPath } from '@dag/model';
import type { Context } from '../context.ts';
import type { FileFacts } from './facts.ts';
import { innerFirst } from './node.ts';
import { look } from './observe.ts';

const NS_PER_MS = 1_000_000n;

/** See `Workspace.isTouchedSince`. */
export async function isTouchedSince(context: Context, path: AnyPath, time: number): Promise<boolean> {
  const limit = BigInt(Math.ceil(time)) * NS_PER_MS;
  for (const [, one] of await look(context, [path])) {
    if (one.kind === 'file') return isTouched(one.facts, 0, one.abs, limit);
    if (one.kind === 'absent') return true;
    const isIn = ({ abs, files, followed, facts }: (typeof one)['node']): boolean =>
      [...files, ...followed].some((name, i) => isTouched(facts, i, join(abs, name), limit));
    return innerFirst(one.node).some(isIn);
  }
  return true;
}

/** A file with other names, in the cache say, changes its `ctime` with each name that it gets: its content tells by `mtime`. */
function isTouched(facts: FileFacts, i: number, file: string, limit: bigint): boolean {
  const { mtimeNs, ctimeNs } = facts.row(i);
  if (ctimeNs <= limit) return false;
  const names = lstatSync(file, { throwIfNoEntry: false })?.nlink ?? 1;
  return names === 1 || mtimeNs > limit;
}
