import { spawnSync } from 'node:child_process';
import type { ProjectPath } from '@dag/model';

/** Whether git tracks a path, or anything inside it; false outside git. */
export function trackedByGit(root: string, path: ProjectPath): boolean {
  const { status, stdout } = spawnSync('git', ['-C', root, 'ls-files', '-z', '--', `:(literal)${path}`], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  return status === 0 && stdout !== '';
}
