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

/** Files of the workspace that get final names as their second ones. */
export interface Linked {
  readonly files: readonly string[];
  /** Their final names. */
  readonly paths: readonly string[];
  /** Makes the links. All folders are there. */
  link(): Promise<void>;
}

/**
 * Gives files their final names, links first, the others in their order: sync the content of all, link or rename each, sync
 * the folders. Names appear only when all bytes are on disk; when it returns, so are the names.
 */
export async function publish(files: readonly Finished[], syncs: Syncs, linked?: Linked): Promise<void> {
  const unsynced = files.filter(({ isSynced }) => isSynced !== true).map(({ temp }) => temp);
  await syncs.files([...unsynced, ...(linked?.files ?? [])]);
  const folders = new Set<string>();
  const makeRoom = (path: string): void => {
    const folder = dirname(path);
    if (folders.has(folder)) return;
    folders.add(folder);
    if (!existsSync(folder)) for (const above of makeFolderSoon(folder)) folders.add(above);
  };
  if (linked !== undefined) {
    for (const path of linked.paths) makeRoom(path);
    await linked.link();
  }
  for (const { temp, path } of files) {
    makeRoom(path);
    renameSync(temp, path);
  }
  await syncs.folders([...folders]);
}
