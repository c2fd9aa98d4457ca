import type { Diagnostic, ProjectPath, Result } from '@dag/model';

/** An entry of `data:`; the path is relative to the folder of the pipeline.yaml. */
export interface DataDefinition {
  readonly path: string;
  readonly desc?: string;
  readonly remote?: string;
  readonly push?: boolean;
}

/** Adds entries to `data:`, in the order given; one whose path is there already keeps its place and gets what is new. */
export function addDataText(
  _text: string,
  _file: ProjectPath,
  _entries: readonly DataDefinition[],
): Result<string, Diagnostic[]> {
  throw new Error('in work');
}

/** Takes entries out of `data:`, by path. The last one takes the `data:` key along. */
export function removeDataText(
  _text: string,
  _file: ProjectPath,
  _paths: readonly string[],
): Result<string, Diagnostic[]> {
  throw new Error('in work');
}
