import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectPath } from '@dag/model';
import { isLeftOver, listNames, sweepTemps, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import { readJournal } from './journal.ts';
import { dropAside, putBack } from './set-aside.ts';

/** What stood in the way of a recovery is kept for a week. */
const KEEP_MS = 7 * 24 * 3600 * 1000;

/** See `Workspace.recover`. What stands at a path by now is kept under `.cache/recovered` for a week, not lost. */
export function recover(context: Context): ProjectPath[] {
  const tmp = join(context.home, 'tmp');
  const kept = join(context.home, 'recovered');
  const now = Date.now();
  const back: ProjectPath[] = [];
  for (const name of listNames(tmp)) {
    if (!name.startsWith('aside-') || !isLeftOver(tmp, name, now)) continue;
    const folder = join(tmp, name);
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
