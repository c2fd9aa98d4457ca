import { existsSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { makeFolderSoon } from './durable.ts';
import { type Layout, loosePath } from './layout.ts';
import type { Syncs } from './sync.ts';
import type { Staged } from './types.ts';

/** A file that is complete under a temp name, and the name that it is to have. */
export interface Finished {
  readonly temp: string;
  readonly path: string;
  /** Whether its content is on disk already. */
  readonly isSynced?: boolean;
}

/** The places of staged files. */
export function placesOf(layout: Layout, staged: Staged): Finished[] {
  return [
    ...staged.packs.map(({ temp, name }) => ({ temp, path: join(layout.packs, name) })),
    ...staged.loose.map(({ temp, digest, isSynced }) => ({ temp, path: loosePath(layout, digest), isSynced })),
  ];
}

/**
 * Gives files their final names, in their order: sync the content of all, rename each, sync the folders. Names appear only
 * when all bytes are on disk; when it returns, so are the names.
 */
export async function publish(files: readonly Finished[], syncs: Syncs): Promise<void> {
  await syncs.files(files.filter(({ isSynced }) => isSynced !== true).map(({ temp }) => temp));
  const folders = new Set<string>();
  for (const { temp, path } of files) {
    const folder = dirname(path);
    if (!folders.has(folder)) {
      folders.add(folder);
      if (!existsSync(folder)) for (const above of makeFolderSoon(folder)) folders.add(above);
    }
    renameSync(temp, path);
  }
  await syncs.folders([...folders]);
}
