import type { Diagnostic, ParamDep, ProjectPath, Value } from '@dag/model';
import type { SourceReader } from '../pipeline.ts';

/** A parameter that is asked for and not there; without a key the whole file is missing. */
export interface MissingParam {
  readonly file: ProjectPath;
  readonly key: string | undefined;
}

export interface ParamsRead {
  /** By file, by dotted key; a file tracked whole has its top-level keys. */
  readonly values: ReadonlyMap<ProjectPath, ReadonlyMap<string, Value>>;
  readonly missing: readonly MissingParam[];
  readonly diagnostics: readonly Diagnostic[];
}

export function readParams(_reader: SourceReader, _deps: readonly ParamDep[]): ParamsRead {
  throw new Error('in work');
}
