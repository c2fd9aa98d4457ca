import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { tempName, withIo } from '@dag/store';
import type { Context } from './context.ts';

/**
 * A folder for temp files from which a rename to `folder` works: `.cache/tmp`, or, when `folder` is on another file system, a
 * hidden one beside the files there.
 * @param folder absolute; its nearest existing parent counts.
 */
export function tempFolderFor(context: Pick<Context, 'tmp'>, folder: string): string {
  const tmp = context.tmp();
  let existing = folder;
  let stats = statSync(existing, { throwIfNoEntry: false });
  while (stats === undefined) {
    existing = dirname(existing);
    stats = statSync(existing, { throwIfNoEntry: false });
  }
  if (stats.dev === statSync(tmp).dev) return tmp;
  const beside = join(existing, `.dag-${tempName('tmp')}`);
  withIo('make the folder', beside, () => mkdirSync(beside));
  return beside;
}

/** Whether a name is one that we give to temp files beside the user's, on file systems that `.cache/tmp` can't serve. */
export function isHiddenTemp(name: string): boolean {
  return name.startsWith('.dag-') && /^\.dag-(tmp|aside)-[0-9a-f]{8}-\d+-\d+-[0-9a-f]{12}(-\d+)?$/.test(name);
}
