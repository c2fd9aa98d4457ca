import { renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyPath } from '@dag/model';
import { isErrno, isLeftOver, listNames, sweepTemps, tempName, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import { readJournal } from './journal.ts';
import { dropAside, putBack } from './set-aside.ts';

/** What stood in the way of a recovery is kept for a week. */
const KEEP_MS = 7 * 24 * 3600 * 1000;

/** See `Workspace.recover`. What stands at a path by now is kept under `.cache/recovered` for a week, not lost. */
export function recover(context: Context): AnyPath[] {
  const tmp = join(context.home, 'tmp');
  const kept = join(context.home, 'recovered');
  const now = Date.now();
  const back: AnyPath[] = [];
  for (const name of listNames(tmp)) {
    if (!name.startsWith('aside-') || !isLeftOver(tmp, name, now)) continue;
    const folder = join(tmp, tempName('aside'));
    if (!take(join(tmp, name), folder)) continue;
    const entries = readJournal(context.root, folder);
    back.push(...putBack(context.root, entries, join(kept, name)));
    dropAside(folder, entries);
  }
  withIo('sweep', tmp, () => sweepTemps(tmp, now, (name) => name.startsWith('aside-')));
  for (const name of listNames(kept)) {
    const stats = statSync(join(kept, name), { throwIfNoEntry: false });
    if (stats !== undefined && now - stats.mtimeMs > KEEP_MS)
      rmSync(join(kept, name), { recursive: true, force: true });
  }
  context.store.sweep();
  return back;
}

/** Makes a dead process's folder ours, so that of several processes that recover at once one does it. */
function take(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}
