import { lstatSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AnyPath } from '@dag/model';
import { removeFile, tempName, withIo } from '@dag/store';
import type { Context } from '../context.ts';
import { look } from './observe.ts';
import { writtenAt } from './written.ts';

/** See `Workspace.fileTime`. */
export function fileTime(context: Context): number {
  const file = join(context.tmp(), tempName('tmp'));
  return withIo('write', '.cache/tmp', () => {
    writeFileSync(file, '', { flag: 'wx' });
    try {
      return Math.ceil(lstatSync(file).ctimeMs);
    } finally {
      removeFile(file);
    }
  });
}

/** See `Workspace.isTouchedSince`. */
export async function isTouchedSince(context: Context, path: AnyPath, time: number): Promise<boolean> {
  const [found] = await look(context, [path]);
  const written = found === undefined ? undefined : writtenAt(found[1]);
  return written === undefined || written > time;
}
