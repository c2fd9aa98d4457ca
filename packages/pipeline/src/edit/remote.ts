import type { Diagnostic, ProjectPath, Result } from '@dag/model';

/** A remote as `remote add` writes it. */
export interface RemoteDefinition {
  readonly name: string;
  readonly url: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly path_style?: boolean;
}

/** Adds a remote, or replaces the one of that name; works for pipeline.yaml and .cache/local.yaml alike. */
export function setRemoteText(
  _text: string,
  _file: ProjectPath,
  _remote: RemoteDefinition,
): Result<string, Diagnostic[]> {
  throw new Error('in work');
}

/** Takes a remote out, and `remote:` with it where that named it. */
export function removeRemoteText(_text: string, _file: ProjectPath, _name: string): Result<string, Diagnostic[]> {
  throw new Error('in work');
}

/** Writes `remote: NAME`; undefined takes it out. */
export function setDefaultRemoteText(
  _text: string,
  _file: ProjectPath,
  _name: string | undefined,
): Result<string, Diagnostic[]> {
  throw new Error('in work');
}
