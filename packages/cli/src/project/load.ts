import fs from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { type AnyPath, type Diagnostic, FailureError, type ProjectPath, ROOT } from '@dag/model';
import { type LoadOptions, loadPipeline, type Pipeline, type SourceReader } from '@dag/pipeline';
import { withIo } from '@dag/store';
import { diagnosticsText } from '../failure.ts';
import { paint } from '../render/paint.ts';
import type { Context } from '../verb.ts';
import { workspaceReader } from './files.ts';
import { requireRoot, toProjectPath } from './root.ts';

/** A project as its files say it: no cache is opened, nothing is hashed. */
export interface LoadedProject {
  /** Absolute. */
  readonly root: string;
  /** The user's folder, from the root. */
  readonly cwd: ProjectPath;
  readonly pipeline: Pipeline;
  readonly reader: SourceReader;
  /** Folders that may not be listed: nobody knows whether there is a pipeline.yaml in them. */
  readonly unreadable: readonly AnyPath[];
}

/**
 * Loads the project that the user stands in. With targets only what they need must be sound: problems elsewhere are
 * warnings. Throws a FailureError where there is no project, or it does not hold together.
 */
export function loadProject(
  context: Context,
  targets: readonly string[] | undefined,
  { settingsOnly = false }: Pick<LoadOptions, 'settingsOnly'> = {},
): LoadedProject {
  const root = requireRoot({ root: context.root, cwd: context.cwd, env: context.io.env });
  const cwd = folderIn(root, context.cwd);
  const unreadable: AnyPath[] = [];
  const reader = workspaceReader(root, (folder) => unreadable.push(folder));
  const local = textOf(path.join(root, '.cache', 'local.yaml'));
  const user = userFile(context.io.env);
  const userText = textOf(user);
  const { pipeline, diagnostics } = loadPipeline(reader, {
    cwd,
    settingsOnly,
    ...(targets === undefined || targets.length === 0 ? {} : { targets }),
    ...(local === undefined ? {} : { localSettings: local }),
    ...(userText === undefined ? {} : { userSettings: { file: user, text: userText } }),
  });
  if (pipeline === undefined) throw new FailureError({ code: 'invalid-pipeline', diagnostics });
  if (diagnostics.length > 0) warn(context, diagnostics);
  return { root, cwd, pipeline, reader, unreadable };
}

/** The user's own settings: `dag/config.yaml` in the XDG config folder; absolute. */
function userFile(env: Context['io']['env']): string {
  const { XDG_CONFIG_HOME: set = '', HOME: home = homedir() } = env;
  return path.join(path.isAbsolute(set) ? set : path.join(home, '.config'), 'dag', 'config.yaml');
}

function textOf(file: string): string | undefined {
  return fs.existsSync(file) ? withIo('read', file, () => fs.readFileSync(file, 'utf8')) : undefined;
}

function warn(context: Context, diagnostics: readonly Diagnostic[]): void {
  if (context.json) return;
  const colour = context.io.colour.err;
  const text = diagnosticsText(diagnostics, paint('yellow', 'warning', colour), colour);
  context.say(`${text}The above is in files that are not needed here.`);
}

function folderIn(root: string, cwd: string): ProjectPath {
  return toProjectPath(root, fs.realpathSync(cwd), '.') ?? ROOT;
}
