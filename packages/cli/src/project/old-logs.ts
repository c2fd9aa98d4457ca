import fs from 'node:fs';
import path from 'node:path';
import type { RunFile } from '@dag/store';

/** A kept output that goes. */
export interface OldLog {
  readonly file: string;
  /** In bytes. */
  readonly size: number;
}

/**
 * Output of stages that goes in a gc: that of the run records which go, and, of all that no record that stays names, what
 * was written before `oldest` (ms).
 */
export function oldLogs(
  cacheDir: string,
  records: Iterable<RunFile>,
  going: readonly RunFile[],
  oldest: number,
): OldLog[] {
  const gone = new Set(going.map(({ file }) => file));
  const [kept, dropped] = [new Set<string>(), new Set<string>()];
  for (const { file, record } of records) {
    const name = record?.context['log'];
    if (typeof name === 'string') (gone.has(file) ? dropped : kept).add(name);
  }
  const top = path.join(cacheDir, 'logs');
  const found: OldLog[] = [];
  for (const folder of namesIn(top)) {
    for (const name of namesIn(path.join(top, folder))) {
      const log = `${folder}/${name}`;
      const file = path.join(top, log);
      const stats = fs.statSync(file, { throwIfNoEntry: false });
      if (stats === undefined || kept.has(log) || !name.endsWith('.log')) continue;
      if (dropped.has(log) || stats.mtimeMs < oldest) found.push({ file, size: stats.size });
    }
  }
  return found;
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
