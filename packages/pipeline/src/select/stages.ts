import type { Failure, ProjectPath, Result, StageAddress } from '@dag/model';
import type { Pipeline } from '../pipeline.ts';

export interface SelectOptions {
  /** Exactly the targets, in the order given, nothing upstream. */
  readonly single?: boolean;
  /** The targets and all that depends on them, instead of what they depend on. */
  readonly downstream?: boolean;
  /** The whole connected pipelines that hold the targets. */
  readonly pipeline?: boolean;
  /** Every stage of every pipeline.yaml. */
  readonly allPipelines?: boolean;
  /** Names in targets are patterns (`*`, `?`, `[…]`). */
  readonly glob?: boolean;
}

export function selectStages(
  _pipeline: Pipeline,
  _targets: readonly string[],
  _options: SelectOptions,
  _cwd: ProjectPath,
): Result<StageAddress[], Failure> {
  throw new Error('in work');
}
