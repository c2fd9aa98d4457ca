import type { Diagnostic, Lock, ProjectPath, Result } from '@dag/model';

export function parseLock(_text: string, _file: ProjectPath): Result<Lock, Diagnostic[]> {
  throw new Error('in work');
}
