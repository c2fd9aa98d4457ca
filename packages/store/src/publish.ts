import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncFolder, makeFolder, syncFiles } from './durable.ts';
import type { Layout } from './layout.ts';
import { publishLoose } from './loose.ts';
import type { Staged } from './types.ts';

/**
 * Makes staged files part of the cache: sync the content of all, rename each to its final name, sync the folders. Objects
 * appear only when their bytes are on disk; when it returns, so are their names.
 */
export async function publish(layout: Layout, staged: Staged): Promise<void> {
  await syncFiles([...staged.packs, ...staged.loose].map(({ temp }) => temp));
  const folders = new Set<string>();
  if (staged.packs.length > 0) {
    makeFolder(layout.packs);
    folders.add(layout.packs);
  }
  for (const { temp, name } of staged.packs) renameSync(temp, join(layout.packs, name));
  for (const { temp, digest } of staged.loose) {
    for (const folder of publishLoose(layout, temp, digest)) folders.add(folder);
  }
  for (const folder of folders) fsyncFolder(folder);
}
