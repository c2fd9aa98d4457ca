import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { CleanTree, Strays } from '@dag/engine';
import { FailureError, foldersAbove, type ProjectPath } from '@dag/model';
import { isErrno, tempName } from '@dag/store';
import { openWorkspace } from '@dag/workspace';
import { type OpenProject, openProject } from '../project/open.ts';
import { PIPELINE_FILE } from '../project/root.ts';
import type { Context } from '../verb.ts';
import { type Commit, makeTree, resetTree, strangersIn } from './git-tree.ts';
import { linkPackages } from './packages.ts';

/** Trees of one commit, made when they are needed, each used by one stage at a time. */
export interface Trees {
  withTree<T>(work: (tree: CleanTree) => Promise<T>): Promise<T>;
  /** Folders of packages of the user's that the trees use, from the top of the repository; known once there is a tree. */
  packages(): readonly string[];
  /** Removes all of them. */
  close(): Promise<void>;
}

/** A folder for what lives as long as this process. Beside the cache, where a file system that clones files does it for nothing. */
export function temporaryFolder(project: OpenProject): string {
  const name = tempName('verify');
  for (const parent of [project.store.tmpFolder, () => os.tmpdir()]) {
    try {
      const folder = path.join(parent.call(project.store), name);
      fs.mkdirSync(folder, { recursive: true });
      return fs.realpathSync(folder);
    } catch (error) {
      if (!isErrno(error, 'EROFS', 'EACCES', 'EPERM')) throw error;
    }
  }
  throw new Error('no folder for temporary files');
}

export function openTrees(context: Context, home: OpenProject, commit: Commit, base: string): Trees {
  const free: CleanTree[] = [];
  const opened: OpenProject[] = [];
  let packages: readonly string[] = [];
  const make = async (): Promise<CleanTree> => {
    const number = opened.length;
    const top = path.join(base, `${number}`);
    fs.mkdirSync(top);
    makeTree(commit, top);
    const inTop = path.relative(commit.top, home.root);
    const root = path.join(top, inTop);
    if (!fs.existsSync(path.join(root, PIPELINE_FILE))) throw notCommitted(commit, inTop);
    packages = linkPackages(commit.top, top, packageFolders(home, inTop));
    const project = await openIn(context, home, root, path.join(base, `cache-${number}`));
    opened.push(project);
    return treeOf(project, { top, inTop, packages, beside: path.join(base, `locked-${number}`) });
  };
  return {
    withTree: async (work) => {
      const tree = free.pop() ?? (await make());
      try {
        return await work(tree);
      } finally {
        free.push(tree);
      }
    },
    packages: () => packages,
    close: async () => {
      for (const project of opened) await project.close();
    },
  };
}

function notCommitted({ id }: Commit, inTop: string): FailureError {
  const file = path.posix.join(inTop, PIPELINE_FILE);
  const message = `commit ${id.slice(0, 7)} has no ${file}, and verify --run runs what a commit holds`;
  return new FailureError({ code: 'usage', message, hint: `git add ${file} and pipeline.lock, and git commit` });
}

/** The project in a tree, as that commit has it, with a cache of its own. */
async function openIn(context: Context, home: OpenProject, root: string, cache: string): Promise<OpenProject> {
  const { env } = context.io;
  const io = { ...context.io, env: { ...env, DAG_CACHE_DIR: cache, DAG_ROOT: undefined } };
  const project = await openProject({ ...context, io, cwd: root, root });
  await project.workspace.close();
  const workspace = openWorkspace({ root, store: project.store, link: home.link, statCache: false });
  return {
    ...project,
    // What is ignored in a tree that is thrown away is nobody's concern, and no file of git's is to change.
    workspace: { ...workspace, updateGitignore: () => [] },
    env: { ...env },
    // Of tracked folders only what the stage reads is there.
    partial: new Set(project.pipeline.data.map((data) => data.path)),
  };
}

interface Place {
  readonly top: string;
  readonly inTop: string;
  readonly packages: readonly string[];
  readonly beside: string;
}

function treeOf(project: OpenProject, { top, inTop, packages, beside }: Place): CleanTree {
  const cache = path.posix.join(inTop, '.cache');
  const locks = new Set(
    project.pipeline.files.map((file) => path.posix.join(path.posix.dirname(file), 'pipeline.lock')),
  );
  const own = (files: readonly string[]): ProjectPath[] =>
    files.flatMap((file) => {
      const at = path.posix.relative(inTop, file.replace(/\/$/, ''));
      const isOurs = [cache, ...packages].some((kept) => file === kept || file.startsWith(`${kept}/`));
      return isOurs || locks.has(at) ? [] : [at as ProjectPath];
    });
  return {
    project,
    beside,
    reset: () => {
      resetTree(top, [cache, ...packages]);
      fs.rmSync(beside, { recursive: true, force: true });
      fs.mkdirSync(beside);
    },
    strays: (): Strays => {
      const { changed, added, ignored } = strangersIn(top);
      return { changed: own(changed), added: own(added), ignored: own(ignored) };
    },
  };
}

/** Where packages may be installed: the top, the project, and the folders of its stages and pipelines. */
function packageFolders({ pipeline }: OpenProject, inTop: string): string[] {
  const files = [
    ...pipeline.files,
    ...[...pipeline.stages.values()].flatMap(({ wdir, action }) => [
      `${wdir}/x`,
      ...(action.kind === 'worker' ? [action.module] : []),
    ]),
  ];
  const folders = files.flatMap((file) =>
    [...foldersAbove(file as ProjectPath)].map((folder) => path.posix.join(inTop, folder)),
  );
  return ['.', inTop, ...[...foldersAbove(`${inTop}/x` as ProjectPath)], ...folders];
}
