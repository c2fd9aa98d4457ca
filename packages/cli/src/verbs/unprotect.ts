import fs from 'node:fs';
import { join } from 'node:path';
import { FailureError } from '@dag/model';
import { EXIT } from '../failure.ts';
import { openProject } from '../project/open.ts';
import { toProjectPath } from '../project/root.ts';
import { waiting } from '../project/waiting.ts';
import { count } from '../render/units.ts';
import type { Context } from '../verb.ts';

export async function unprotect(context: Context, written: readonly string[]): Promise<number> {
  const project = await openProject(context, { mutates: true });
  try {
    const paths = written.map((text) => {
      const path = toProjectPath(project.root, fs.realpathSync(context.cwd), text);
      if (path !== undefined && path !== '') {
        if (fs.existsSync(join(project.root, path))) return path;
        throw new FailureError({ code: 'usage', message: `'${text}' does not exist` });
      }
      throw new FailureError({ code: 'usage', message: `'${text}' does not lie inside the project` });
    });
    const release = await project.workspace.acquire(
      { read: [], write: paths, purpose: 'dag unprotect' },
      waiting(context),
    );
    const changed = await project.workspace.unprotect(paths, { signal: context.stop }).finally(release);
    context.emit({ unprotected: changed });
    context.print(`${count(changed.length, 'file')} can be edited now.`);
    return EXIT.done;
  } finally {
    await project.close();
  }
}
