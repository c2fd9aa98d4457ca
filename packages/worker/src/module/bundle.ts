import type { Failure, Result } from '@dag/model';
import type { BundleRequest, ClosureRequest, ModuleClosure } from '../module.ts';

export async function bundle(
  _request: ClosureRequest,
  _write?: Pick<BundleRequest, 'outFile' | 'publicModule'>,
): Promise<Result<ModuleClosure, Failure>> {
  throw new Error('in work');
}
