import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AnyPath, absolutePath } from '@dag/model';
import { fsyncFolder, tempName, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import type { Aside } from '../types.ts';
import { type AsideEntry, closeJournal, placeFor, stands, writeJournal } from './journal.ts';
import { moveTree, moveTreeAcross, removeTree } from './trees.ts';

/**
 * See `Workspace.setAside`: the journal first, then the renames. If one fails, what was moved comes back. Where nothing
 * stands nothing is written.
 */
export function setAside(context: Context, paths: readonly AnyPath[]): Aside {
  const { root } = context;
  const there = paths.map((path) => stands(absolutePath(root, path)));
  if (!there.includes(true)) return asideOf(root, undefined, absent(paths));
  const folder = join(context.tmp(), tempName('aside'));
  const entries = withIo('set aside', folder, () => {
    mkdirSync(folder);
    const planned = paths.map((path, i): AsideEntry => {
      return { path, at: there[i] === true ? placeFor(root, folder, path, i) : undefined };
    });
    writeJournal(folder, planned);
    return planned;
  });
  for (const { path, at } of entries) {
    if (at === undefined) continue;
    try {
      withIo('set aside', path, () => moveTree(absolutePath(root, path), at));
    } catch (error) {
      putBack(root, entries, undefined);
      dropAside(folder, entries);
      throw error;
    }
  }
  return asideOf(root, folder, entries);
}

function absent(paths: readonly AnyPath[]): AsideEntry[] {
  return paths.map((path) => ({ path, at: undefined }));
}

/** @param folder with the journal and what was moved; undefined where nothing was. */
function asideOf(root: string, folder: string | undefined, entries: readonly AsideEntry[]): Aside {
  let open = true;
  return {
    putBack() {
      if (!open) return;
      open = false;
      putBack(root, entries, undefined);
      if (folder !== undefined) dropAside(folder, entries);
    },
    discard() {
      if (!open) return;
      open = false;
      if (folder !== undefined) dropAside(folder, entries);
    },
  };
}

/**
 * Brings content back to its paths; where something else stands by now, that is removed, or moved under `keep`.
 * A path that was absent is made absent again only when there is no `keep`. Doing it again after a crash does no harm.
 * @returns the paths whose content came back.
 */
export function putBack(root: string, entries: readonly AsideEntry[], keep: string | undefined): AnyPath[] {
  const back: AnyPath[] = [];
  for (const [i, { path, at }] of entries.entries()) {
    const abs = absolutePath(root, path);
    withIo('put back', path, () => {
      if (at === undefined ? keep !== undefined : !stands(at)) return;
      if (stands(abs)) clear(abs, keep === undefined ? undefined : join(keep, String(i)));
      if (at === undefined) return;
      mkdirSync(dirname(abs), { recursive: true });
      moveTree(at, abs);
      fsyncFolder(dirname(abs));
      back.push(path);
    });
  }
  return back;
}

function clear(abs: string, to: string | undefined): void {
  if (to === undefined) {
    removeTree(abs);
    return;
  }
  mkdirSync(dirname(to), { recursive: true });
  moveTreeAcross(abs, to);
}

/** Closes the journal, then removes what it spoke of. */
export function dropAside(folder: string, entries: readonly AsideEntry[]): void {
  withIo('remove', folder, () => {
    closeJournal(folder);
    for (const { at } of entries) if (at !== undefined) removeTree(at);
    removeTree(folder);
  });
}
