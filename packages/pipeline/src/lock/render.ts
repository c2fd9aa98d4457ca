import type { Lock, ProjectPath } from '@dag/model';

export function renderLock(_lock: Lock, _file: ProjectPath): string {
  throw new Error('in work');
}
