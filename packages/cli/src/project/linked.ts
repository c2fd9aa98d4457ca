import fs from 'node:fs';
import path from 'node:path';
import { type Digest, isInside, parseDigest } from '@dag/model';
import type { OpenProject } from './open.ts';
import { readRemembered } from './remembered.ts';
import { allTracked } from './tracked.ts';

/**
 * Objects that symlinks of the workspace lead to. Whatever the locks say now, without them the files would be lost.
 * @param more paths to look at beside those that are tracked, or were when something was last put in place.
 */
export function linkedObjects(project: OpenProject, more: readonly string[]): Set<Digest> {
  const objects = path.join(project.store.dir, 'objects') + path.sep;
  const found = new Set<Digest>();
  const visit = (at: string): void => {
    const target = fs.readlinkSync(at);
    if (!target.startsWith(objects)) return;
    const digest = parseDigest(`blake3:${target.slice(objects.length).replaceAll(path.sep, '')}`);
    if (digest !== undefined) found.add(digest);
  };
  const walk = (folder: string): void => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const at = path.join(folder, entry.name);
      if (entry.isSymbolicLink()) visit(at);
      else if (entry.isDirectory()) walk(at);
    }
  };
  const paths = new Set<string>([
    ...allTracked(project)
      .map((tracked) => tracked.path)
      .filter(isInside),
    ...readRemembered(project.root).paths,
    ...more,
  ]);
  for (const tracked of paths) {
    const at = path.join(project.root, tracked);
    const stats = fs.lstatSync(at, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true) visit(at);
    else if (stats?.isDirectory() === true) walk(at);
  }
  return found;
}
