import fs from 'node:fs';
import path from 'node:path';
import { findTraceTools, heal, LockBook, type Project, type TraceTools } from '@dag/engine';
import { type AnyPath, FailureError, type ProjectPath } from '@dag/model';
import { LINK_STRATEGIES, type LinkStrategy, type Pipeline } from '@dag/pipeline';
import { hashBytes, openStore } from '@dag/store';
import { DEFAULT_LINK, openWorkspace } from '@dag/workspace';
import type { Context } from '../verb.ts';
import { beside } from './beside.ts';
import { runContext } from './context.ts';
import { workspaceLockFiles } from './files.ts';
import { trackedByGit } from './git.ts';
import { loadProject } from './load.ts';
import { readRemembered, rememberPlacing, rememberSettled } from './remembered.ts';
import { gitTop } from './root.ts';
import { placeSchema } from './schema.ts';
import { registerProject } from './sharing.ts';
import { sharedCache } from './work-tree.ts';

export interface OpenProjectOptions {
  /** What the verb is about: only what these need must be sound. Relative to the user's folder. */
  readonly targets?: readonly string[];
  /** The verb changes things: what killed processes left behind is healed first. */
  readonly mutates?: boolean;
  /** The verb looks at revisions alone: how the workspace stands, in the middle of a merge say, is no concern of it. */
  readonly revisionsOnly?: boolean;
}

/** A project with the user's place in it. */
export interface OpenProject extends Project {
  /** The user's folder, from the root. */
  readonly cwd: ProjectPath;
  /** See `LoadedProject`. */
  readonly unreadable: readonly AnyPath[];
  /** How files get from the cache into the workspace, as settings and environment have it. */
  readonly link: readonly LinkStrategy[];
  close(): Promise<void>;
}

/** Opens the project that the user stands in. Throws a FailureError where there is none, or it does not hold together. */
export async function openProject(context: Context, options: OpenProjectOptions = {}): Promise<OpenProject> {
  const { root, cwd, pipeline, reader, unreadable } = loadProject(context, options.targets, {
    settingsOnly: options.revisionsOnly === true,
  });
  for (const folder of unreadable) {
    context.say(`warning: '${folder}' may not be listed: what is in it is left out (.dagignore can name it)`);
  }
  const store = openStore({ dir: cacheDir(root, pipeline, context) });
  const link = linkStrategies(pipeline, context);
  const workspace = openWorkspace({ root, store, link, gitTop: () => gitTop(root, context.io.env) });
  if (options.mutates === true) {
    registerProject(store, root);
    for (const folder of new Set([path.join(root, '.cache'), store.dir])) ignoreAll(folder);
    for (const message of (await heal(store, workspace)).messages) context.say(message);
    placeSchema(workspace);
  }
  const locks = new LockBook(workspaceLockFiles(workspace));
  const files = { root, workspace, locks };
  return {
    ...files,
    cwd,
    unreadable,
    link,
    pipeline,
    reader,
    store,
    modules: {
      closure: async (module) => {
        const { moduleClosure } = await import('@dag/worker');
        return await moduleClosure({ root, module, hash: hashBytes });
      },
      bundle: async (module, outFile) => {
        const { bundleModule } = await import('@dag/worker');
        return await bundleModule({ root, module, outFile, hash: hashBytes, publicModule: beside('worker.mjs') });
      },
      missingBackend: async (module, pins) => {
        const { missingBackend } = await import('@dag/worker');
        return missingBackend([path.dirname(path.join(root, module)), root], pins);
      },
      childEntry: beside('worker-child.mjs'),
    },
    reload: () => reload(context),
    partial: new Set(readRemembered(root).partial),
    // A copy: each look into `process.env` asks the system.
    env: { ...context.io.env },
    context: runContext(root),
    trackedByGit: (paths) => trackedByGit(root, paths),
    lastKnown: () => {
      const { agreed, placing } = readRemembered(root);
      return { agreed, placing: new Set(placing) };
    },
    placing: (paths) => rememberPlacing(files, paths),
    settled: (artifacts) => rememberSettled(files, artifacts),
    clock: () => new Date(),
    close: async () => {
      await workspace.close();
      store.close();
    },
  };
}

/** A cache keeps itself out of git, whoever made the project. */
function ignoreAll(folder: string): void {
  const file = path.join(folder, '.gitignore');
  if (fs.existsSync(file)) return;
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(file, '*\n');
}

/** The project with its graph as the files are now; as it was, where they don't hold together any more. */
export function reloaded(project: OpenProject): OpenProject {
  return { ...project, pipeline: project.reload() ?? project.pipeline };
}

function reload(context: Context): Pipeline | undefined {
  try {
    return loadProject(context, undefined).pipeline;
  } catch (error) {
    if (error instanceof FailureError) return undefined;
    throw error;
  }
}

/** Where the cache is: `DAG_CACHE_DIR`, else `cache.dir`, else what the work trees of the repository share, else `.cache`; absolute. */
function cacheDir(root: string, pipeline: Pipeline, context: Context): string {
  const set = context.io.env['DAG_CACHE_DIR'] || pipeline.settings.cache.dir;
  return path.resolve(root, set ?? sharedCache(root) ?? '.cache');
}

function linkStrategies(pipeline: Pipeline, context: Context): readonly LinkStrategy[] {
  const set = context.io.env['DAG_CACHE_LINK'];
  if (set === undefined || set === '') return pipeline.settings.cache.link ?? DEFAULT_LINK;
  const named = set.split(',').map((name) => name.trim());
  const known = named.filter((name): name is LinkStrategy => (LINK_STRATEGIES as readonly string[]).includes(name));
  if (known.length === named.length) return known;
  throw new FailureError({
    code: 'usage',
    message: `DAG_CACHE_LINK is '${set}': each name must be one of ${LINK_STRATEGIES.join(', ')}`,
  });
}

/** What traces stages on this machine. */
export function traceTools(env: Project['env']): Promise<TraceTools> {
  return findTraceTools(env, beside('trace'));
}
