import { rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ProjectPath } from '@dag/model';
import { makeFolder, withIo, writeFileDurable } from '@dag/store';
import type { Context } from './context.ts';
import { tempFolderFor } from './temp-folder.ts';

/** See `Workspace.writeFileAtomic`. A file that stands keeps its mode. */
export function writeFileAtomic(context: Pick<Context, 'root' | 'tmp'>, path: ProjectPath, text: string): void {
  const abs = join(context.root, path);
  withIo('write', path, () => {
    makeFolder(dirname(abs));
    const mode = statSync(abs, { throwIfNoEntry: false })?.mode;
    const temp = tempFolderFor(context, dirname(abs));
    try {
      writeFileDurable(abs, Buffer.from(text, 'utf8'), mode === undefined ? 0o666 : mode & 0o777, temp);
    } finally {
      if (temp !== context.tmp()) rmSync(temp, { recursive: true, force: true });
    }
  });
}
