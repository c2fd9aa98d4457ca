import fs from 'node:fs';
import path from 'node:path';
import { logOf } from '@dag/engine';
import type { RunFile } from '@dag/store';

/** What a stage printed or reported, that goes. */
export interface OldLog {
  /** Absolute; a folder where it holds images. */
  readonly file: string;
  /** In bytes. */
  readonly size: number;
}

/**
 * Output of stages, and the metrics and images beside it, that goes in a gc: that of the run records which go, and, of all
 * that no record that stays names, what was written before `oldest` (ms).
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
      const log = logOf(`${folder}/${name}`);
      const file = path.join(top, folder, name);
      const stats = fs.lstatSync(file, { throwIfNoEntry: false });
      if (log === undefined || stats === undefined || kept.has(log)) continue;
      if (dropped.has(log) || stats.mtimeMs < oldest) found.push({ file, size: sizeOf(file, stats) });
    }
  }
  return found;
}

function sizeOf(file: string, stats: fs.Stats): number {
  if (!stats.isDirectory()) return stats.size;
  const sizes = namesIn(file).map((name) => fs.lstatSync(path.join(file, name), { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
