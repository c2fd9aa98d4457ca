import fs from 'node:fs';
import path from 'node:path';
import { isLeftOver, listNames, tempName } from '@dag/store';

/** What their names begin with, before what says whose they are. */
const KIND = 'dagtrace';

/**
 * Makes a folder for what one trace leaves behind while it runs, readable for this user alone. It lies in the system's folder for
 * temporary files, and not in the cache: that may be on a file system without named pipes.
 */
export function makeTraceFolder(tmp: string): string {
  const folder = path.join(tmp, tempName(KIND));
  fs.mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** Removes the folders of those who were killed while they traced; what is another user's stays. */
export function sweepTraceFolders(tmp: string): void {
  for (const name of listNames(tmp)) {
    try {
      if (!name.startsWith(`${KIND}-`) || !isLeftOver(tmp, name, Date.now())) continue;
      fs.rmSync(path.join(tmp, name), { recursive: true, force: true });
    } catch {
      // Its owner's next trace removes it.
    }
  }
}
