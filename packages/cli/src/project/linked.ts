import fs from 'node:fs';
import path from 'node:path';
import { type Digest, parseDigest } from '@dag/model';

/**
 * Objects that symlinks of a project's workspace lead to. Whatever the locks say now, without them the files would be lost.
 * @param paths to look at: those that are tracked, or were when something was last put in place.
 */
export function linkedObjects(root: string, paths: Iterable<string>): Set<Digest> {
  const found = new Set<Digest>();
  const visit = (at: string): void => {
    // Whatever stands before: projects may know one cache by several paths.
    const [, shard = '', rest = ''] = /\/objects\/([0-9a-f]{2})\/([0-9a-f]{62})$/.exec(fs.readlinkSync(at)) ?? [];
    const digest = parseDigest(`blake3:${shard}${rest}`);
    if (digest !== undefined) found.add(digest);
  };
  const walk = (folder: string): void => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const at = path.join(folder, entry.name);
      if (entry.isSymbolicLink()) visit(at);
      else if (entry.isDirectory()) walk(at);
    }
  };
  for (const tracked of new Set(paths)) {
    const at = path.join(root, tracked);
    const stats = fs.lstatSync(at, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink() === true) visit(at);
    else if (stats?.isDirectory() === true) walk(at);
  }
  return found;
}
