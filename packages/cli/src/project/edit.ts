import fs from 'node:fs';
import path from 'node:path';
import {
  type Diagnostic,
  FailureError,
  isWithin,
  joinPath,
  type ProjectPath,
  parentPath,
  type Result,
} from '@dag/model';
import { withIo } from '@dag/store';
import type { OpenProject } from './open.ts';
import { PIPELINE_FILE } from './root.ts';

/** The text of a file of the project; empty where there is none. */
export function textOf(project: OpenProject, file: ProjectPath): string {
  const absolute = path.join(project.root, file);
  return fs.existsSync(absolute) ? withIo('read', absolute, () => fs.readFileSync(absolute, 'utf8')) : '';
}

/** The text that an edit gives; a FailureError where it could not be done. */
export function edited(result: Result<string, Diagnostic[]>): string {
  if (result.ok) return result.value;
  throw new FailureError({ code: 'invalid-pipeline', diagnostics: result.error });
}

/** The pipeline.yaml nearest at or above a path: the one that lists it. */
export function pipelineFileFor(project: OpenProject, tracked: ProjectPath): ProjectPath {
  let best = PIPELINE_FILE as ProjectPath;
  for (const file of project.pipeline.files) {
    if (isWithin(parentPath(file), parentPath(tracked)) && file.length > best.length) best = file;
  }
  return best;
}

/** The pipeline.yaml of the user's folder, which a new stage is written into. */
export function pipelineFileHere(project: OpenProject): ProjectPath {
  return joinPath(project.cwd, PIPELINE_FILE);
}
