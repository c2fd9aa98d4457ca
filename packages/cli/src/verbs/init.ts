import fs from 'node:fs';
import path from 'node:path';
import { FailureError, type ProjectPath } from '@dag/model';
import { openStore } from '@dag/store';
import { openWorkspace } from '@dag/workspace';
import { EXIT } from '../failure.ts';
import { FROM_DVC, holdsDvc, PIPELINE_FILE } from '../project/root.ts';
import { placeSchema, SCHEMA_COPY } from '../project/schema.ts';
import type { Context } from '../verb.ts';

const NEW_PIPELINE = `# yaml-language-server: $schema=${SCHEMA_COPY}
# Stages, tracked data and settings of this project: see 'dag stage add', 'dag add' and 'dag remote add'.
jobs: auto
stages: {}
`;

export async function init(
  context: Context,
  _positional: readonly string[],
  options: { readonly force?: boolean },
): Promise<number> {
  const root = fs.realpathSync(context.cwd);
  const file = path.join(root, PIPELINE_FILE);
  const cache = path.join(root, '.cache');
  const there = fs.existsSync(file);
  if (there && fs.existsSync(cache) && options.force !== true) {
    throw new FailureError({
      code: 'usage',
      message: 'this folder is a project already',
      hint: `dag init --force writes what is missing beside its ${PIPELINE_FILE}`,
    });
  }
  const workspace = openWorkspace({ root, store: openStore({ dir: cache }) });
  try {
    fs.mkdirSync(cache, { recursive: true });
    if (!there) workspace.writeFileAtomic(PIPELINE_FILE as ProjectPath, NEW_PIPELINE);
    placeSchema(workspace);
    ignoreCache(root, (text) => workspace.writeFileAtomic('.gitignore' as ProjectPath, text));
  } finally {
    await workspace.close();
  }
  context.emit({ root, pipeline: PIPELINE_FILE, cache: '.cache' });
  context.print(
    there
      ? `Made a project of the ${PIPELINE_FILE} here, with .cache/ (which git ignores).`
      : `Made a project here: ${PIPELINE_FILE}, and .cache/ (which git ignores).`,
  );
  if (!there && holdsDvc(root)) context.say(`The dvc.yaml beside it is DVC's: ${FROM_DVC}.`);
  return EXIT.done;
}

/** Adds `.cache/` to .gitignore where no line there says so yet. */
function ignoreCache(root: string, write: (text: string) => void): void {
  const file = path.join(root, '.gitignore');
  const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  if (text.split(/\r?\n/).some((line) => /^\/?\.cache\/?\s*$/.test(line))) return;
  write(`${text === '' || text.endsWith('\n') ? text : `${text}\n`}.cache/\n`);
}
