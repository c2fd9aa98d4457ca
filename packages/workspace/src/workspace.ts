import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { recover } from './aside/recover.ts';
import { setAside } from './aside/set-aside.ts';
import { checkCache } from './check-cache.ts';
import { checkout } from './checkout/checkout.ts';
import { unprotect } from './checkout/unprotect.ts';
import { openContext } from './context.ts';
import { updateGitignore } from './gitignore.ts';
import { isPathIgnored } from './ignore-rules.ts';
import { keep } from './keep.ts';
import { acquire, holders } from './lock/acquire.ts';
import { commit } from './observe/commit.ts';
import { isComplete } from './observe/known-trees.ts';
import { keepListings, list, observe } from './observe/observe.ts';
import { fileTime, isTouchedSince } from './observe/touched.ts';
import type { Workspace, WorkspaceOptions } from './types.ts';
import { writeFileAtomic } from './write-file.ts';

/** Opens the user's files under a project root. Cheap: nothing is read, made or loaded before it is needed. */
export function openWorkspace(options: WorkspaceOptions): Workspace {
  const context = openContext(options);
  return {
    root: context.root,
    observe: (paths, more) => observe(context, paths, more),
    list: (paths, more) => list(context, paths, more),
    fileTime: () => fileTime(context),
    isTouchedSince: (path, time) => isTouchedSince(context, path, time),
    commit: (paths, more) => commit(context, paths, more),
    keepListings: (paths) => keepListings(context, paths),
    checkout: (items, more) => checkout(context, items, more),
    checkCache: (more) => checkCache(context, more),
    unprotect: (paths, more) => unprotect(context, paths, more),
    isComplete: (artifact) => isComplete(context, artifact),
    keep: (paths, more) => keep(context, paths, more),
    setAside: (paths) => setAside(context, paths),
    recover: () => recover(context),
    acquire: (request, more) => acquire(context, request, more),
    holders: () => holders(context),
    updateGitignore: (changes) => updateGitignore(context, changes),
    ignored(path) {
      const stats = lstatSync(join(context.root, path), { throwIfNoEntry: false });
      return isPathIgnored(context.ignore(), path, stats?.isDirectory() === true);
    },
    writeFileAtomic: (path, text) => writeFileAtomic(context, path, text),
    async close() {
      await context.threads()?.close();
      await context.local.close();
    },
  };
}
