import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ProjectPath } from '@dag/model';
import type { Workspace } from '@dag/workspace';

/** Where a project keeps the JSON Schema of pipeline.yaml, for editors. */
export const SCHEMA_COPY = '.cache/pipeline.schema.json' as ProjectPath;

/**
 * Puts the JSON Schema of this version into the project, where it is not there yet. Editors find it through the first line
 * that `init` writes.
 */
export function placeSchema(workspace: Workspace): void {
  const shipped = contentOf(fileURLToPath(new URL('pipeline.schema.json', import.meta.url)));
  const copy = path.join(workspace.root, SCHEMA_COPY);
  if (shipped === undefined || shipped === contentOf(copy)) return;
  fs.mkdirSync(path.dirname(copy), { recursive: true });
  workspace.writeFileAtomic(SCHEMA_COPY, shipped);
}

/** Undefined where there is no such file: run from its sources, the program has no built schema beside it. */
function contentOf(file: string): string | undefined {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined;
}
