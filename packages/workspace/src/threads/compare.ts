import { constants, lstatSync, type Stats } from 'node:fs';
import { StatColumns } from '@dag/store';
import type { ComparePart } from './protocol.ts';

/** @returns which of the files, by index, are no longer what is known of them: gone, changed, or no plain files. */
export function differingFiles({ folder, dev, names, stats }: ComparePart): number[] {
  const known = new StatColumns(stats);
  const differing: number[] = [];
  for (const [i, name] of names.split('\0').entries()) {
    const now = statsOrNothing(`${folder}/${name}`);
    const isFile = now !== undefined && (now.mode & constants.S_IFMT) === constants.S_IFREG && now.dev === dev;
    if (!isFile || !known.isSame(i, now)) differing.push(i);
  }
  return differing;
}

/** Who looks at the file next gets the error. */
function statsOrNothing(path: string): Stats | undefined {
  try {
    return lstatSync(path, MAY_BE_GONE);
  } catch {
    return undefined;
  }
}

const MAY_BE_GONE = { throwIfNoEntry: false } as const;
